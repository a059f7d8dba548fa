"""A head that is known from the request before it is told as aiohttp's parser tells it, however the bytes come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import GatewayError
from gaiarouter.server.body import read_body
from gaiarouter.server.heads import KnownHead, end_of_head, known_head
from gaiarouter.server.protocol import Listener
from gaiarouter.server.reply import error_response
from gaiarouter.server.turns import head_of
from tests.server.raw import RawCaller, post, raw_caller
from tests.support.upstream import BOUND_S

PLAIN = "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nA: b\r\n\r\n"
LIMIT = 300_000


def parsed(head: bytes) -> RawRequestMessage | None:
    """As aiohttp's parser tells it; None for what it refuses, or does not yet think whole."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, payload_exception=web.RequestPayloadError)
        messages, _, _ = parser.feed_data(head)
    except HttpProcessingError:
        return None
    finally:
        loop.close()
    return messages[0][0] if messages else None


def known(head: bytes) -> KnownHead | None:
    message = parsed(head)
    return None if message is None or end_of_head(head, message) is None else known_head(head, message)


LINES = st.sampled_from(
    [
        "X: Content-Length: {}",
        "Content-Length : {}",
        "Content-Lengths: {}",
        " {}",
        "\t7",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Connection: close",
        "Connection: Keep-Alive",
        "Connection: upgrade\r\nUpgrade: websocket",
        "Content-Encoding: gzip",
        "Content-Type: application/json",
        "Content-Type: text/plain",
        "X-Long: " + "y" * 300,
        "Ünicode: ü",
        "A: b\n",
    ]
)


@given(
    before=st.lists(LINES, max_size=3),
    length=st.sampled_from(["Content-Length: {}", "content-length:{}", "CONTENT-LENGTH: \t {}", "Content-Length: {} "]),
    after=st.lists(LINES, max_size=3),
    end=st.sampled_from(["\r\n\r\n", "\n\n", "\r\n\n"]),
    lengths=st.tuples(
        st.integers(0, 10**12), st.one_of(st.integers(0, 10**13), st.sampled_from(["007", "-1", "1 ", "1_0"]))
    ),
)
def test_a_head_is_told_as_the_parser_would(
    before: list[str], length: str, after: list[str], end: str, lengths: tuple[int, int | str]
) -> None:
    begin = ["POST /v1/x HTTP/1.1", "Host: x", "Content-Type: application/json"]
    text = "\r\n".join([*begin, *before, length, *after]) + end
    first, second = (text.replace("{}", str(length)).encode() for length in lengths)
    told = known(first)
    if told is None:
        return
    match = told.match(second + b"{}")
    if match is None:
        return
    message, told_length, start = match
    assert repr(message) == repr(parsed(second))
    assert (second + b"{}")[start:] == b"{}"
    assert told_length == int(message.headers["Content-Length"])


@pytest.mark.parametrize("length", [0, 7, 10**11])
def test_a_plain_head_is_known_by_any_length(length: int) -> None:
    told = known(PLAIN.format(12).encode())
    assert told is not None
    match = told.match(PLAIN.format(length).encode())
    assert match is not None
    assert match[1:] == (length, len(PLAIN.format(length)))


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.format(12)[:-1],
        PLAIN.format(12).replace("b", "c"),
        PLAIN.format(12).replace("Host", "host"),
        PLAIN.format(12).replace("/v1/x", "/v1/y"),
        PLAIN.format("+12"),
        PLAIN.format(""),
        PLAIN.format("1" * 13),
        PLAIN.format("1\r\nContent-Length: 12"),
        PLAIN.format(12).replace("A: b\r\n", "A: b\r\nTransfer-Encoding: chunked\r\n"),
    ],
)
def test_another_head_is_not_taken_for_it(other: str) -> None:
    told = known(PLAIN.format(12).encode())
    assert told is not None
    assert told.match(other.encode()) is None


@pytest.mark.parametrize(
    "unusual",
    [
        PLAIN.format(12).replace("HTTP/1.1", "HTTP/1.0"),
        PLAIN.format(12).replace("A: b", "Connection: close"),
        PLAIN.format(12).replace("A: b", "Expect: 100-continue"),
        PLAIN.format(12).replace("A: b", "Content-Encoding: gzip"),
        PLAIN.format(12).replace("A: b", f"A: {'b' * 4000}\r\nC: {'d' * 4000}\r\nE: {'f' * 300}"),
        PLAIN.format(12).replace("application/json", "application/json; charset=utf-8"),
        "GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_asks_for_something_unusual_is_the_parsers(unusual: str) -> None:
    assert parsed(unusual.encode()) is not None
    assert known(unusual.encode()) is None


class Echo:
    """Answers with what it was asked. known: for each request, whether its head was."""

    def __init__(self) -> None:
        self.known: list[bool] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.known.append(head_of(request) is not None)
        body = b"" if "x-unread" in request.headers else await self._read(request)
        told = {"path": request.path, "length": request.content_length, "body": body.decode()}
        return web.json_response(told)

    async def handle_json(self, request: web.Request) -> web.StreamResponse:
        self.known.append(head_of(request) is not None)
        try:
            body = await read_body(request, LIMIT, base_s=0.1)
        except GatewayError as error:
            return error_response(error, ChatDialect(), request.headers)
        return web.json_response({"body": body.decode()})

    async def _read(self, request: web.Request) -> bytes:
        parts = []
        while part := await request.content.readany():
            parts.append(part)
        return b"".join(parts)


@asynccontextmanager
async def listening(echo: Echo) -> AsyncIterator[int]:
    async with serving({"/v1/json": echo.handle_json, "/{path:.*}": echo.handle}) as port:
        yield port


@asynccontextmanager
async def serving(handlers: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]) -> AsyncIterator[int]:
    app = web.Application()
    for path, handle in handlers.items():
        app.router.add_route("*", path, handle)
    listener = Listener(app, ChatDialect())
    await listener.setup()
    await web.TCPSite(listener, "127.0.0.1", 0).start()
    try:
        yield listener.addresses[0][1]
    finally:
        await listener.cleanup()


def a_request(chance: Random) -> tuple[bytes, dict[str, object]]:
    """A request's bytes, and what is to be answered."""
    body = "".join(chance.choices("ab\r\n{}", k=chance.choice([0, 1, 9, 10, 40, 2000])))
    kind = chance.choice(["same", "same", "same", "path", "chunked", "get", "unread"])
    path = "/other" if kind == "path" else "/same"
    length: int | None = len(body)
    if kind == "get":
        body, length, sent = "", None, b"GET /same HTTP/1.1\r\nHost: x\r\n\r\n"
    elif kind == "chunked":
        sent = post("k", headers=b"Transfer-Encoding: chunked\r\n", path=path.encode())
        sent = sent.replace(b"Content-Length: 0\r\n", b"")
        sent += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body.encode()) if body else b"0\r\n\r\n"
        length = None
    else:
        unread = b"X-Unread: 1\r\n" if kind == "unread" else b""
        sent = post("k", body.encode(), headers=unread, path=path.encode())
    return sent, {"path": path, "length": length, "body": "" if kind == "unread" else body}


@pytest.mark.parametrize("seed", range(12))
async def test_however_requests_are_cut_each_is_answered_for_itself(seed: int) -> None:
    """Cut anywhere, several at once or one by one."""
    chance, echo = Random(seed), Echo()
    requests = [a_request(chance) for _ in range(40)]
    async with listening(echo) as port, raw_caller(port) as caller:
        waits = chance.random() < 0.7
        for sent, expected in requests:
            await write_in_pieces(caller, sent, chance)
            if waits:
                assert (await caller.reply()).json() == expected
        if not waits:
            assert [(await caller.reply()).json() for _ in requests] == [expected for _, expected in requests]


async def write_in_pieces(caller: RawCaller, data: bytes, chance: Random) -> None:
    cuts = sorted(chance.sample(range(len(data)), k=chance.choice([0, 0, 1, 3])))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        caller.write(data[start:end])
        for _ in range(chance.choice([0, 20])):
            await asyncio.sleep(0)


async def test_the_second_request_of_a_kind_is_known_in_two_pieces_too() -> None:
    """httpx writes a head and its body apart."""
    echo = Echo()
    async with listening(echo) as port, raw_caller(port) as caller:
        for length in (3, 3, 70_000, 0):
            sent = post("k", b"a" * length)
            head, _, body = sent.partition(b"\r\n\r\n")
            caller.write(head + b"\r\n\r\n")
            for _ in range(20):
                await asyncio.sleep(0)
            caller.write(body)
            assert (await caller.reply()).json()["body"] == "a" * length
    assert echo.known == [False, True, True, True]


async def test_a_caller_whose_heads_all_differ_is_served_by_the_parser() -> None:
    echo = Echo()
    async with listening(echo) as port, raw_caller(port) as caller:
        for number in range(8):
            caller.write(post("k", b"{}", headers=b"X-Trace: %d\r\n" % number))
            await caller.reply()
        for _ in range(3):
            caller.write(post("k", b"{}"))
            assert (await caller.reply()).json()["body"] == "{}"
    assert not any(echo.known)


async def test_a_known_head_has_its_bounds_of_size_and_time() -> None:
    echo = Echo()
    async with listening(echo) as port, raw_caller(port) as caller:
        for body in (b"{}", b"[]"):
            caller.write(post("k", body, path=b"/v1/json"))
            assert (await caller.reply()).json()["body"] == body.decode()
        caller.write(post("k", b"x" * (LIMIT + 1), path=b"/v1/json"))
        assert (await caller.reply()).status == 413
        caller.write(post("k", b"{}", path=b"/v1/json"))
        assert (await caller.reply()).json()["body"] == "{}"
        caller.write(post("k", b"{", length=2, path=b"/v1/json"))
        late = await caller.reply()
        assert (late.status, late.json()["error"]["code"]) == (408, "request_timeout")
    assert echo.known == [False, True, True, True, True]


async def test_what_nobody_reads_of_a_known_body_is_not_taken_in() -> None:
    """Ten megabytes for a handler that waits: what lies in the gateway is bounded."""
    waiting, go_on = asyncio.Event(), asyncio.Event()
    buffered: list[int] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.content_length == 2:
            return web.Response(body=await request.read())
        waiting.set()
        await go_on.wait()
        buffered.append(request.content.total_bytes)
        read = 0
        while part := await request.content.readany():
            read += len(part)
        return web.Response(body=b"%d" % read)

    most = 10_000_000
    async with serving({"/v1/chat/completions": handle}) as port, raw_caller(port) as caller:
        caller.write(post("k", b"{}"))
        assert (await caller.reply()).body == b"{}"
        caller.write(post("k", b"x" * most))
        async with asyncio.timeout(BOUND_S):
            await waiting.wait()
            for _ in range(500):
                await asyncio.sleep(0)
        go_on.set()
        assert int((await caller.reply()).body) == most
    assert buffered[0] < 1_000_000


async def test_a_caller_that_hangs_up_in_a_known_body_ends_its_request() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.content_length == 2:
            return web.Response(body=await request.read())
        begun.set()
        try:
            await request.content.readany()
            await request.content.readany()
        finally:
            ended.set()
        return web.Response()

    async with serving({"/v1/chat/completions": handle}) as port:
        async with raw_caller(port) as caller:
            caller.write(post("k", b"{}"))
            await caller.reply()
            caller.write(post("k", b"xx", length=100))
            async with asyncio.timeout(BOUND_S):
                await begun.wait()
        async with asyncio.timeout(BOUND_S):
            await ended.wait()
