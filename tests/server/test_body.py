"""A request's body: within its bounds of size and time, and only after its caller is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import GatewayError
from gaiarouter.server.body import read_body
from gaiarouter.server.protocol import Listener
from gaiarouter.server.reply import error_response
from tests.gateway.running import Starter, assert_error
from tests.server.raw import BODY, post, raw_caller

LIMIT = 1000
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Answers with the size of the body."""
    async with listening(base_s=30.0) as port:
        yield port


@pytest.fixture
async def hasty() -> AsyncIterator[int]:
    """A body has 100 ms, and what it takes at 16 KiB/s."""
    async with listening(base_s=0.1) as port:
        yield port


@asynccontextmanager
async def listening(*, base_s: float) -> AsyncIterator[int]:
    dialect = ChatDialect()

    async def size(request: web.Request) -> web.Response:
        try:
            return web.Response(body=b"%d" % len(await read_body(request, LIMIT, base_s=base_s)))
        except GatewayError as error:
            return error_response(error, dialect, request.headers)

    async def expect(_: web.Request) -> None:
        pass

    app = web.Application()
    app.router.add_post("/v1/chat/completions", size, expect_handler=expect)
    listener = Listener(app, dialect)
    await listener.setup()
    await web.TCPSite(listener, "127.0.0.1", 0).start()
    yield listener.addresses[0][1]
    await listener.cleanup()


def chunked(body: bytes) -> bytes:
    return post("x").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + body


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_up_to_the_limit_is_read(port: int, size: int) -> None:
    for sent in (post("x", b"x" * size), chunked(b"%x\r\n%b\r\n" % (size, b"x" * size) * bool(size) + b"0\r\n\r\n")):
        async with raw_caller(port) as caller:
            caller.write(sent)
            assert (await caller.reply()).body == b"%d" % size


@pytest.mark.parametrize("length", [LIMIT + 1, 10**10, 2**63])
async def test_a_length_beyond_the_limit_is_413_before_a_byte_is_read(port: int, length: int) -> None:
    async with raw_caller(port) as caller:
        caller.write(post("x", length=length))
        assert_error(await caller.reply(), 413, "request_too_large")


async def test_chunks_beyond_the_limit_are_413_while_they_come(port: int) -> None:
    async with raw_caller(port) as caller:
        caller.write(chunked(b"1f4\r\n" + b"x" * 500 + b"\r\n"))
        for _ in range(3):
            caller.write(b"1f4\r\n" + b"x" * 500 + b"\r\n")
        assert_error(await caller.reply(), 413, "request_too_large")


@pytest.mark.parametrize(
    "sent", [post("x", b"x" * 10, length=20), chunked(b"5\r\nhello\r\n")], ids=["length", "chunks"]
)
async def test_c5_a_body_that_does_not_come_is_408(hasty: int, sent: bytes) -> None:
    async with raw_caller(hasty) as caller:
        caller.write(sent)
        assert_error(await caller.reply(), 408, "request_timeout")


async def test_c5_a_body_that_drips_is_408_in_all(hasty: int) -> None:
    async with raw_caller(hasty) as caller:
        caller.write(post("x", length=LIMIT))
        began = asyncio.get_running_loop().time()
        answered = asyncio.create_task(caller.reply())
        while not answered.done():
            caller.write(b"x")
            await asyncio.wait([answered], timeout=0.01)
        assert_error(answered.result(), 408, "request_timeout")
        assert asyncio.get_running_loop().time() - began < 5, "its drops take ten seconds"


async def test_a_body_may_be_asked_for_with_expect(port: int) -> None:
    async with raw_caller(port) as caller:
        caller.write(post("x", headers=b"Expect: 100-continue\r\n", length=5))
        assert await caller.reader.readexactly(len(CONTINUE)) == CONTINUE
        caller.write(b"hello")
        assert (await caller.reply()).body == b"5"


async def test_a_body_that_is_too_long_is_never_asked_for(port: int) -> None:
    async with raw_caller(port) as caller:
        caller.write(post("x", headers=b"Expect: 100-continue\r\n", length=LIMIT + 1))
        assert_error(await caller.reply(), 413, "request_too_large")


async def test_another_expectation_is_417(port: int) -> None:
    async with raw_caller(port) as caller:
        caller.write(post("x", headers=b"Expect: the-unexpected\r\n", length=5))
        assert_error(await caller.reply(), 417, "expectation_failed")


@pytest.mark.parametrize(
    ("key", "path", "status", "code"),
    [
        ("sk-gaia-nobody", b"/v1/chat/completions", 401, "invalid_api_key"),
        ("KEY", b"/v1/nothing", 404, "not_found"),
        ("KEY", b"/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_a_body_is_not_asked_for_by_who_will_not_read_it(
    start: Starter, key: str, path: bytes, status: int, code: str
) -> None:
    """`100 Continue` would invite the caller to send what nobody wants; and nobody waits for it either."""
    gateway = await start()
    sent = post(key.replace("KEY", gateway.key), headers=b"Expect: 100-continue\r\n", length=10**9, path=path)
    async with raw_caller(gateway.port) as caller:
        caller.write(sent)
        assert_error(await caller.reply(), status, code)


async def test_a_known_caller_is_asked_for_the_body(start: Starter) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(post(gateway.key, headers=b"Expect: 100-continue\r\n", length=len(BODY)))
        assert await caller.reader.readexactly(len(CONTINUE)) == CONTINUE
        caller.write(BODY)
        assert (await caller.reply()).status == 200


async def test_a_caller_that_leaves_in_its_body_frees_its_slot(start: Starter) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(post(gateway.key, BODY[:10], length=len(BODY), headers=b"Expect: 100-continue\r\n"))
        await caller.reader.readexactly(len(CONTINUE))
        assert gateway.gateway.data_plane.running == 1
    record = await gateway.record()
    assert (record["status"], record["outcome"]) == (499, "cancelled")
