"""What a connection gets that does not speak proper HTTP, or does not speak at all. Holds aiohttp's behaviour too, on
which protocol.py leans: at an upgrade these are the tests that must be read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.server.protocol import Listener
from tests.gateway.running import Starter, assert_error
from tests.server.raw import BODY, RawCaller, post, raw_caller

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
CANARY = b"sk-gaia-canary-of-a-key"

MALFORMED: dict[str, bytes] = {
    "no HTTP": b"hello there " + CANARY + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + CANARY + b"\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH " + CANARY + b"\r\n\r\n",
    "HTTP/3.0": b"GET /" + CANARY + b" HTTP/3.0\r\nHost: x\r\n\r\n",
    "no such method": b"BREW /" + CANARY + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a huge method": b"X" * 100 + CANARY + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no colon": GET + CANARY + b"\r\n\r\n",
    "a space before the colon": GET + b"X-Key : " + CANARY + b"\r\n\r\n",
    "an empty name": GET + b": " + CANARY + b"\r\n\r\n",
    "a folded header": GET + b"X-Key: a\r\n " + CANARY + b"\r\n\r\n",
    "NUL in a header": GET + b"X-Key: a\0" + CANARY + b"\r\n\r\n",
    "a lone CR": GET + b"X-Key: a\r" + CANARY + b"\r\n\r\n",
    "two lengths": GET + b"Content-Length: 1\r\nContent-Length: 2\r\nX: " + CANARY + b"\r\n\r\nab",
    "a length that is none": GET + b"Content-Length: +5\r\nX: " + CANARY + b"\r\n\r\nhello",
    "a negative length": GET + b"Content-Length: -5\r\nX: " + CANARY + b"\r\n\r\n",
    "length and chunks": GET
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX: "
    + CANARY
    + b"\r\n\r\n0\r\n\r\n",
    "chunked twice": GET + b"Transfer-Encoding: chunked, chunked\r\nX: " + CANARY + b"\r\n\r\n0\r\n\r\n",
    "not chunked at the end": GET + b"Transfer-Encoding: chunked, identity\r\nX: " + CANARY + b"\r\n\r\n0\r\n\r\n",
}

TOO_LONG: dict[str, bytes] = {
    "a header": GET + b"Authorization: Bearer " + CANARY * 700 + b"\r\n\r\n",
    "a name": GET + CANARY * 700 + b": 1\r\n\r\n",
    "a path": b"GET /" + CANARY * 700 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_http_is_refused_in_json_and_never_quoted(start: Starter, name: str) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(MALFORMED[name])
        reply = await caller.reply()
        assert_error(reply, 400, "invalid_request")
        assert CANARY not in reply.body
        assert reply.headers["x-request-id"].startswith("req_")
        assert await caller.rest() == b"", "nothing that follows can be trusted"


@pytest.mark.parametrize("name", TOO_LONG)
async def test_a_line_that_is_too_long_is_431_and_never_quoted(start: Starter, name: str) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(TOO_LONG[name])
        reply = await caller.reply()
        assert_error(reply, 431, "request_header_fields_too_large")
        assert CANARY not in reply.body
        assert await caller.rest() == b""


async def test_too_many_headers_are_refused(start: Starter) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(GET + b"".join(b"X-%d: 1\r\n" % n for n in range(5000)) + b"\r\n")
        assert_error(await caller.reply(), 400, "invalid_request")


async def test_a_smuggled_request_is_never_answered(start: Starter) -> None:
    """The two ways in which a proxy before us might see one request, and we two."""
    gateway = await start()
    inner = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % gateway.key.encode()
    for framing in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    ):
        async with raw_caller(gateway.port) as caller:
            head = (
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n" % gateway.key.encode()
            )
            caller.write(head + framing + inner)
            said = await caller.rest()
            assert re.match(rb"HTTP/1\.[01] 4\d\d", said)
            assert said.count(b"HTTP/1.") == 1
            assert b'"object":"list"' not in said


@pytest.mark.parametrize(
    "body", [b"zz\r\nhi\r\n0\r\n\r\n", b"5\r\nhi\r\n0\r\n\r\n", b"-1\r\n\r\n", b"fffffffffffffffff\r\nhi"], ids=repr
)
async def test_a_body_in_bad_chunks_is_400(start: Starter, body: bytes) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        head = post(gateway.key).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        caller.write(head)
        await asyncio.sleep(0)
        caller.write(body)
        reply = await caller.reply()
        assert_error(reply, 400, "invalid_request")


async def test_a_chunked_body_is_taken(start: Starter) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(post(gateway.key).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
        for byte in BODY:
            caller.write(b"1\r\n%c\r\n" % byte)
        caller.write(b"0\r\n\r\n")
        assert (await caller.reply()).status == 200


@pytest.mark.parametrize("target", [b"/v1/../v1/chat/completions", b"/v1/%63hat/completions", b"http://evil/v1/models"])
async def test_a_path_leads_where_it_is_resolved_to_and_nowhere_unchecked(start: Starter, target: bytes) -> None:
    """Whatever the path is made of, without a key nothing is served."""
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (target, len(BODY), BODY))
        assert (await caller.reply()).status in (400, 401, 404, 405)


async def test_a_request_without_a_version_is_answered_like_others_and_never_quoted(start: Starter) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(b"GET /" + CANARY + b"\r\n\r\n")
        said = await caller.rest()
        assert b'"code":"not_found"' in said
        assert CANARY not in said


async def test_http_1_0_is_served_and_closed(start: Starter) -> None:
    gateway = await start()
    async with raw_caller(gateway.port) as caller:
        caller.write(b"GET /health/live HTTP/1.0\r\n\r\n")
        said = await caller.rest()
        assert b" 200 OK" in said
        assert said.endswith(b'{"status":"ok"}')


@pytest.fixture
async def hasty() -> AsyncIterator[int]:
    """A listener that gives a head 250 ms, and an idle connection 2 s."""

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_route("*", "/", hello)
    listener = Listener(app, ChatDialect(), head_s=0.25, keepalive_s=2.0)
    await listener.setup()
    await web.TCPSite(listener, "127.0.0.1", 0).start()
    yield listener.addresses[0][1]
    await listener.cleanup()


ROOT = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("begun", [b"G", ROOT, ROOT + b"X-Slow: "])
async def test_c5_a_head_that_is_not_whole_in_time_is_408(hasty: int, begun: bytes) -> None:
    async with raw_caller(hasty) as caller:
        caller.write(begun)
        reply = await caller.reply()
        assert_error(reply, 408, "request_timeout")
        assert reply.headers["connection"] == "close"
        assert reply.headers["x-request-id"] == reply.json()["request_id"]
        assert await caller.rest() == b""


async def test_c5_a_head_that_drips_is_not_longer_waited_for(hasty: int) -> None:
    began = asyncio.get_running_loop().time()
    async with raw_caller(hasty) as caller:
        dripping = asyncio.create_task(_drip(caller, ROOT * 50))
        assert_error(await caller.reply(), 408, "request_timeout")
        assert asyncio.get_running_loop().time() - began < 5, "its drops take ten seconds"
        dripping.cancel()


async def _drip(caller: RawCaller, data: bytes) -> None:
    for byte in data:
        caller.write(bytes([byte]))
        await asyncio.sleep(0.01)


async def test_c6_a_connection_that_says_nothing_is_closed(hasty: int) -> None:
    async with raw_caller(hasty) as caller:
        assert await caller.rest() == b""


async def test_a_connection_is_kept_for_the_next_request_and_closed_when_idle(hasty: int) -> None:
    async with raw_caller(hasty) as caller:
        for _ in range(3):
            caller.write(ROOT + b"\r\n")
            assert (await caller.reply()).body == b"hello"
            await asyncio.sleep(0.3)  # longer than a head may take, shorter than idleness may last
        assert await caller.rest() == b"", "no 408: no head had begun"


async def test_the_rest_of_a_body_that_nobody_read_is_no_slow_head(hasty: int) -> None:
    async with raw_caller(hasty) as caller:
        caller.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        assert (await caller.reply()).body == b"hello"
        caller.write(b"late")
        assert await caller.rest() == b"", "no 408"
