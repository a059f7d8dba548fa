"""The wire on a transport that is a list: framing does not depend on how the bytes are cut, and nothing hurts it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaiarouter.errors import ProtocolBroken
from gaiarouter.upstream.base import AttemptTimeouts
from gaiarouter.upstream.http1.wire import Wire
from tests.support.script import LAST_CHUNK, chunk, head


class Scripted(asyncio.Transport):
    """Takes what is written, and says what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = socket.socketpair()
        self.aborted = False
        self.reading = True
        self.written = b""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.pair[0] if name == "socket" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def dispose(self) -> None:
        for each in self.pair:
            each.close()


class Bench:
    """One wire that has just been asked for an answer."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.lost: list[Wire] = []
        self.transport = Scripted()
        self.wire = Wire(loop, self.lost.append)
        self.wire.connection_made(self.transport)
        self.begin()

    def begin(self) -> None:
        self.wire.begin(AttemptTimeouts(5, 5, 5, self.wire.loop.time() + 5))

    def close(self) -> None:
        self.wire.watch.stop()
        if self.wire.transport is not None:
            self.wire.connection_lost(None)
        self.transport.dispose()

    def feed(self, parts: list[bytes]) -> None:
        """What a transport would deliver: nothing after it was aborted."""
        for part in parts:
            if not self.transport.aborted and part:
                self.wire.data_received(part)

    async def body(self) -> bytes:
        got = b""
        while part := await self.wire.receive():
            got += part
        return got


Result = TypeVar("Result")


def with_bench(act: Callable[[Bench], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        bench = Bench()
        try:
            return await act(bench)
        finally:
            bench.close()

    return asyncio.run(run())


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


CUTS = st.lists(st.integers(0, 400), max_size=12)
BODY = b"".join(bytes([number]) * 7 for number in range(40))

FRAMED = {
    "a length": head(200, {"x-one": "1", "content-length": str(len(BODY))}) + BODY,
    "chunks": head(200, {"transfer-encoding": "Chunked"})
    + b"".join(chunk(BODY[at : at + 9]) for at in range(0, len(BODY), 9))
    + LAST_CHUNK,
    "chunks with extensions and a trailer": head(200, {"transfer-encoding": "chunked"})
    + (b"%x;name=value\r\n%b\r\n" % (len(BODY), BODY))
    + b"0\r\nx-trailer: 1\r\n\r\n",
    "interim answers before it": head(100) + head(103, {"link": "<x>"}) + head(200, {"content-length": "280"}) + BODY,
    "up to the close": head(200) + BODY,
    "HTTP/1.0": head(200, {"content-length": str(len(BODY))}, version="1.0") + BODY,
}
KEPT = frozenset(FRAMED) - {"up to the close", "HTTP/1.0"}


@pytest.mark.parametrize("name", FRAMED)
@settings(deadline=None, max_examples=40)
@given(cuts=CUTS)
def test_an_answer_is_the_same_however_it_was_cut(name: str, cuts: list[int]) -> None:
    async def act(bench: Bench) -> tuple[int, bytes, bool]:
        bench.feed(cut(FRAMED[name], cuts))
        if name == "up to the close":
            bench.wire.connection_lost(None)
        await bench.wire.head()
        assert "x-trailer" not in bench.wire.headers
        assert "link" not in bench.wire.headers
        return bench.wire.status, await bench.body(), bench.wire.release()

    assert with_bench(act) == (200, BODY, name in KEPT)


@pytest.mark.parametrize("line", [b"a", b"x-trailer: 1\r\n"], ids=["one", "many"])
def test_trailers_without_end_are_not_kept(line: bytes) -> None:
    async def act(bench: Bench) -> None:
        bench.feed([head(200, {"transfer-encoding": "chunked"}), chunk(b"x"), b"0\r\nx-first: "])
        await bench.wire.head()
        bench.feed([line * 1_000] * 100)
        assert bench.transport.aborted
        with pytest.raises(ProtocolBroken):
            await bench.body()

    with_bench(act)


def test_many_chunks_that_come_in_pieces_of_a_few_bytes_are_an_answer() -> None:
    async def act(bench: Bench) -> bytes:
        bench.feed([head(200, {"transfer-encoding": "chunked"})])
        await bench.wire.head()
        for _ in range(20_000):
            bench.feed([b"1\r\n", b"x", b"\r\n"])
        bench.feed([LAST_CHUNK])
        return await bench.body()

    assert with_bench(act) == b"x" * 20_000


@pytest.mark.parametrize("name", FRAMED)
@settings(deadline=None, max_examples=40)
@given(cuts=CUTS, takes=st.lists(st.booleans(), max_size=20))
def test_what_is_poured_is_what_would_be_read(name: str, cuts: list[int], takes: list[bool]) -> None:
    """takes: what the taker says to each piece; after False it asks again."""

    async def act(bench: Bench) -> bytes:
        got, wants = bytearray(), iter(takes)

        def take(data: bytes) -> bool:
            got.extend(data)
            return next(wants, True)

        async def feed() -> None:
            for part in cut(FRAMED[name], cuts):
                bench.feed([part])
                await asyncio.sleep(0)
            bench.wire.connection_lost(None)

        feeding = asyncio.create_task(feed())
        await bench.wire.head()
        while not await bench.wire.pour(take):
            pass
        await feeding
        return bytes(got)

    assert with_bench(act) == BODY


@pytest.mark.parametrize("name", sorted(FRAMED))
def test_an_answer_that_is_cut_short_is_never_whole(name: str) -> None:
    whole = FRAMED[name]

    async def act(bench: Bench, end: int) -> None:
        bench.feed([whole[:end]])
        bench.wire.connection_lost(None)
        await bench.wire.head()
        if name != "up to the close":
            await bench.body()
            raise AssertionError(f"{end} of {len(whole)} bytes passed for a whole answer")

    for end in range(len(whole)):
        if name == "up to the close" and end >= len(head(200)):
            break  # where the close is the end, only the content can tell
        with pytest.raises(ProtocolBroken):
            with_bench(partial(act, end=end))


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n",
        b"HTTP/1.0 200\r\n",
        b"content-length: 5\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip\r\n",
        b"connection: close\r\n",
        b"\r\n",
        b"hello",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"x" * 70_000,
        b": \0\xff",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | st.binary(max_size=30), max_size=12))
def test_no_bytes_bring_anything_but_an_answer_or_an_error_of_ours(parts: list[bytes]) -> None:
    async def act(bench: Bench) -> None:
        bench.feed(parts)
        if bench.wire.transport is not None:
            bench.wire.connection_lost(None)
        with suppress(ProtocolBroken):
            await bench.wire.head()
            assert 100 <= bench.wire.status <= 999
            await bench.body()
        assert not bench.wire.is_clean()
        assert len(bench.lost) == 1

    with_bench(act)


def test_a_reader_that_does_not_read_pauses_the_connection_and_resumes_it() -> None:
    async def act(bench: Bench) -> None:
        bench.feed([head(200, {"content-length": "1000000"}), b"x" * 60_000])
        assert bench.transport.reading
        bench.feed([b"x" * 60_000])
        assert not bench.transport.reading
        assert len(await bench.wire.receive()) == 120_000
        assert not bench.transport.reading, "not before somebody waits for more"
        waiting = asyncio.ensure_future(bench.wire.receive())
        await asyncio.sleep(0)
        assert bench.transport.reading
        bench.feed([b"y"])
        assert await waiting == b"y"

    with_bench(act)


def test_a_taker_without_room_pauses_the_connection_until_it_asks_again() -> None:
    async def act(bench: Bench) -> None:
        bench.feed([head(200, {"content-length": "1000000"})])
        pouring = asyncio.ensure_future(bench.wire.pour(lambda data: False))
        await asyncio.sleep(0)
        bench.feed([b"x"])
        assert await pouring is False
        assert not bench.transport.reading
        again = asyncio.ensure_future(bench.wire.pour(lambda data: False))
        await asyncio.sleep(0)
        assert bench.transport.reading
        bench.feed([b"y"])
        assert await again is False

    with_bench(act)


def test_what_a_taker_raises_is_raised_where_it_was_asked_to_take() -> None:
    def take(_: bytes) -> bool:
        raise ConnectionResetError("the caller is gone")

    async def act(bench: Bench) -> None:
        bench.feed([head(200, {"content-length": "10"})])
        pouring = asyncio.ensure_future(bench.wire.pour(take))
        await asyncio.sleep(0)
        bench.feed([b"x"])
        with pytest.raises(ConnectionResetError):
            await pouring

    with_bench(act)


def test_a_head_without_end_is_refused_at_its_bound() -> None:
    async def act(bench: Bench) -> None:
        bench.feed([b"HTTP/1.1 200 OK\r\n"])
        for _ in range(1000):
            bench.feed([b"a: b\r\n" * 20])
        assert bench.transport.aborted
        with pytest.raises(ProtocolBroken):
            await bench.wire.head()

    with_bench(act)


@pytest.mark.parametrize("blank", [b"\r", b"\n", b"\r\n", b"\r\n\r\n"])
def test_a_blank_line_after_an_answer_is_no_part_of_the_next(blank: bytes) -> None:
    """A fuzzer's find: in one read with the answer it is passed over, and the connection is kept."""

    async def act(bench: Bench) -> tuple[bool, int, bytes]:
        bench.feed([FRAMED["a length"] + blank])
        await bench.wire.head()
        assert await bench.body() == BODY
        kept = bench.wire.release()
        bench.begin()
        bench.feed([head(201, {"content-length": "2"}) + b"{}"])
        await bench.wire.head()
        return kept, bench.wire.status, await bench.body()

    assert with_bench(act) == (True, 201, b"{}")


def test_a_header_that_comes_twice_is_read_as_a_list() -> None:
    async def act(bench: Bench) -> str:
        bench.feed([b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n"])
        await bench.wire.head()
        return bench.wire.headers["x-a"]

    assert with_bench(act) == "1, 2"


def test_each_answer_of_a_connection_has_its_own_headers() -> None:
    """Names are remembered from one to the next; a trailer is no header of the answer after it."""

    async def act(bench: Bench) -> list[dict[str, str]]:
        seen = []
        for fields in ([("A", "1")], [("a", "2")], [("A", "3")], [("A", "4"), ("B", "5"), ("b", "6")], [("A", "7")]):
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
            start = f"HTTP/1.1 200 OK\r\n{lines}transfer-encoding: chunked\r\n\r\n"
            bench.feed([start.encode() + chunk(b"x") + b"0\r\nx-trailer: 1\r\n\r\n"])
            await bench.wire.head()
            assert await bench.body() == b"x"
            seen.append({name: value for name, value in bench.wire.headers.items() if name != "transfer-encoding"})
            assert bench.wire.release()
            bench.begin()
        return seen

    assert with_bench(act) == [{"a": "1"}, {"a": "2"}, {"a": "3"}, {"a": "4", "b": "5, 6"}, {"a": "7"}]


@pytest.mark.parametrize("fields", [b"a: %b\r\n" % (b"x" * 17_000), b"a: 1\r\n" * 129], ids=["a long one", "too many"])
def test_headers_beyond_their_bounds_are_refused(fields: bytes) -> None:
    async def act(bench: Bench) -> None:
        bench.feed([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + fields + b"\r\n"])
        with pytest.raises(ProtocolBroken):
            await bench.wire.head()

    with_bench(act)
