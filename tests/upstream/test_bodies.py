"""Bodies of answers: framing, compression, size, silence, and leaving in the middle (U40 to U47)."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaiarouter.errors import BadAnswer, ProtocolBroken, TimedOut, UpstreamError
from gaiarouter.upstream.clients import CLIENTS
from gaiarouter.upstream.encoding import STEP, Inflater
from tests.support.script import (
    LAST_CHUNK,
    SSE_HEAD,
    Close,
    Drip,
    Hang,
    Reset,
    Script,
    Send,
    Until,
    answer,
    chunk,
    head,
    sse,
    sse_answer,
)
from tests.support.upstream import Received, ScriptedUpstream
from tests.upstream.conftest import LONG_S, Client, post, within

TEXT = b'{"text": "' + b"0123456789" * 1000 + b'"}'
CHUNKED = {"transfer-encoding": "chunked"}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def packed(name: str, pack: Callable[[bytes], bytes]) -> Script:
    return answer(pack(TEXT), headers={"content-encoding": name})


WHOLE: dict[str, Script] = {
    "with a length": answer(TEXT),
    "chunked": [Send(head(200, CHUNKED)), Send(chunk(TEXT[:5])), Send(chunk(TEXT[5:])), Send(LAST_CHUNK)],
    "chunked, byte by byte": [Drip(head(200, CHUNKED) + chunk(b'{"a": 1}') + LAST_CHUNK, every_s=0)],
    "u45 gzip": packed("gzip", gzip.compress),
    "u45 gzip of two members": packed("gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    "u45 deflate": packed("deflate", zlib.compress),
    "u45 deflate without zlib's header": packed("Deflate", raw_deflate),
    "u47 up to the close": [Send(head(200) + TEXT), Close()],
    "u47 HTTP/1.0": [Send(head(200, version="1.0") + TEXT), Close()],
    "gzip up to the close": [Send(head(200, {"content-encoding": "gzip"}) + gzip.compress(TEXT)), Close()],
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_whole_body_is_read_as_it_was_meant(client: Client, name: str) -> None:
    async with ScriptedUpstream(WHOLE[name]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        body = await response.read()
        assert body == (b'{"a": 1}' if "byte by byte" in name else TEXT)


async def test_an_empty_body_is_empty(client: Client) -> None:
    async with ScriptedUpstream([Send(head(204))]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        assert (response.status, await response.read()) == (204, b"")


PACKED = gzip.compress(TEXT)

BROKEN: dict[str, Script] = {
    "u40 shorter than its length": [Send(head(200, {"content-length": "100"}) + b"x" * 99), Close()],
    "u40 chunked without a last chunk": [Send(head(200, CHUNKED) + chunk(b"x" * 99)), Close()],
    "u40 half a chunk": [Send(head(200, CHUNKED) + b"64\r\n" + b"x" * 50), Close()],
    "u40 a chunk size that is no number": [Send(head(200, CHUNKED) + b"zz\r\nxx\r\n"), Hang()],
    "u40 a bad chunk after a good one": [Send(head(200, CHUNKED) + chunk(b"x")), Send(b"zz\r\nxx\r\n"), Hang()],
    "u40 truncated gzip": answer(PACKED[:-12], headers={"content-encoding": "gzip"}),
    "u40 truncated gzip, chunked": [
        Send(head(200, CHUNKED | {"content-encoding": "gzip"}) + chunk(PACKED[:30]) + LAST_CHUNK)
    ],
    "u46 gzip that is none": answer(TEXT, headers={"content-encoding": "gzip"}),
    "u46 deflate that is none": answer(b"\xff" * 50, headers={"content-encoding": "deflate"}),
    "bytes after the gzip": answer(PACKED + b"tail", headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_body_breaks_the_protocol(client: Client, name: str) -> None:
    async with ScriptedUpstream(BROKEN[name]) as upstream:
        with pytest.raises(ProtocolBroken) as caught:
            await (await client.send(post(upstream.url("/")), within())).read()
        error = caught.value
        assert (error.status, error.code, error.outcome) == (502, "upstream_protocol_error", "protocol_error")
        assert error.billed_unknown
        await upstream.client_gone(0)


async def test_a_fault_in_the_framing_reaches_a_reader_that_waits(client: Client) -> None:
    """At once, not at a time-out: the parser has let go of the body by then."""
    go = asyncio.Event()
    script = [Send(head(200, CHUNKED) + chunk(TEXT)), Until(go), Send(b"zz\r\n")]
    async with ScriptedUpstream(script) as upstream, asyncio.timeout(LONG_S):
        response = await client.send(post(upstream.url("/")), within())
        chunks = aiter(response.chunks())
        assert await anext(chunks) == TEXT
        waiting = asyncio.ensure_future(anext(chunks))
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(ProtocolBroken) as caught:
            await waiting
        assert caught.value.outcome == "protocol_error"
        await upstream.client_gone()


async def test_a_reset_in_the_body_is_a_reset(client: Client) -> None:
    cut = asyncio.Event()
    async with ScriptedUpstream([Send(SSE_HEAD + chunk(b"data: 1\n\n")), Until(cut), Reset()]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        chunks = aiter(response.chunks())
        assert await anext(chunks) == b"data: 1\n\n"
        cut.set()
        began = time.monotonic()
        with pytest.raises(ProtocolBroken) as caught:
            await anext(chunks)
        assert caught.value.outcome == "reset"
        assert time.monotonic() - began < LONG_S


async def test_u43_silence_in_a_body_ends_at_the_idle_limit(client: Client) -> None:
    async with ScriptedUpstream([Send(head(200, {"content-length": "10"}) + b"12345"), Hang()]) as upstream:
        response = await client.send(post(upstream.url("/")), within(idle_s=0.1))
        began = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            await response.read()
        assert (caught.value.status, caught.value.code, caught.value.outcome) == (
            504,
            "upstream_timeout",
            "timeout_idle",
        )
        assert 0.08 <= time.monotonic() - began < LONG_S
        await upstream.client_gone(0)


async def test_u43_a_body_that_drips_ends_at_the_deadline(client: Client) -> None:
    script: Script = [Send(head(200, {"content-length": "100000"})), Drip(b"x" * 100_000, every_s=0.01)]
    async with ScriptedUpstream(script) as upstream:
        response = await client.send(post(upstream.url("/")), within(total_s=0.4))
        with pytest.raises(TimedOut) as caught:
            await response.read()
        assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "timeout_total")
        await upstream.client_gone(0)


async def test_a_slow_stream_that_never_pauses_too_long_is_never_cut(client: Client) -> None:
    """In three tries, of which a machine that stands still for a moment may spoil two."""
    async with ScriptedUpstream([Send(head(200)), Drip(b"x" * 60, every_s=0.01), Close()]) as upstream:
        for is_last in (False, False, True):
            with contextlib.nullcontext() if is_last else contextlib.suppress(TimedOut):
                response = await client.send(post(upstream.url("/")), within(idle_s=0.4, first_byte_s=0.4))
                assert b"".join([part async for part in response.chunks()]) == b"x" * 60
                break


async def test_the_idle_limit_stands_still_while_the_reader_is_busy(client: Client) -> None:
    more = asyncio.Event()
    async with ScriptedUpstream(
        [Send(SSE_HEAD + chunk(b"1")), Until(more), Send(chunk(b"2") + LAST_CHUNK)]
    ) as upstream:
        response = await client.send(post(upstream.url("/")), within(idle_s=0.25))
        await asyncio.sleep(0.4)  # the reader's own slowness is what this test is about
        chunks = aiter(response.chunks())
        assert await anext(chunks) == b"1"
        await asyncio.sleep(0.4)
        more.set()
        assert [part async for part in chunks] == [b"2"]


async def test_a_deadline_that_passes_while_the_reader_is_busy_ends_the_stream(client: Client) -> None:
    async with ScriptedUpstream([Send(SSE_HEAD + chunk(b"1")), Hang()]) as upstream:
        response = await client.send(post(upstream.url("/")), within(total_s=0.3))
        chunks = aiter(response.chunks())
        assert await anext(chunks) == b"1"
        await upstream.client_gone(0)
        with pytest.raises(TimedOut) as caught:
            await anext(chunks)
        assert caught.value.phase == "total"


async def test_an_extended_deadline_is_the_one_that_counts(client: Client) -> None:
    more = asyncio.Event()
    async with ScriptedUpstream(
        [Send(SSE_HEAD + chunk(b"1")), Until(more), Send(chunk(b"2") + LAST_CHUNK)]
    ) as upstream:
        response = await client.send(post(upstream.url("/")), within(total_s=0.3))
        loop = asyncio.get_running_loop()
        response.extend(loop.time() + 30)
        chunks = aiter(response.chunks())
        assert await anext(chunks) == b"1"
        loop.call_later(0.4, more.set)
        assert [part async for part in chunks] == [b"2"]


async def test_an_answer_that_is_over_moves_no_deadline_of_the_next(client: Client) -> None:
    def script(request: Received) -> Script:
        if request.path == "/whole":
            return [Send(head(200, {"content-length": "2"}) + b"{}")]
        return [Send(SSE_HEAD + chunk(b"1")), Hang()]

    async with ScriptedUpstream(script) as upstream:
        first = await client.send(post(upstream.url("/whole")), within())
        assert await first.read() == b"{}"
        second = await client.send(post(upstream.url("/")), within(total_s=0.3))
        first.extend(asyncio.get_running_loop().time() + 30)
        chunks = aiter(second.chunks())
        assert await anext(chunks) == b"1"
        with pytest.raises(TimedOut):
            await asyncio.wait_for(anext(chunks), 2.0)


MIB = 1024 * 1024


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    zeros = bytes(MIB)
    return b"".join([packer.compress(zeros) for _ in range(size // MIB)]) + packer.flush()


TOO_LARGE: dict[str, Script] = {
    "a length that says so": [Send(head(200, {"content-length": str(33 * MIB)})), Hang()],
    "chunks without end": [Send(head(200, CHUNKED)), Send(chunk(bytes(64 * 1024)), times=None)],
    "up to a close that never comes": [Send(head(200)), Send(bytes(64 * 1024), times=None)],
    "a bomb of 400 MiB": answer(bomb(400 * MIB), headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_u44_an_answer_beyond_32_mib_is_refused_in_bounded_memory(client: Client, name: str) -> None:
    async with ScriptedUpstream(TOO_LARGE[name]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        tracemalloc.start()
        try:
            with pytest.raises(BadAnswer) as caught:
                await response.read()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        error = caught.value
        assert (error.status, error.code, error.outcome) == (502, "upstream_response_too_large", "too_large")
        assert peak < 96 * MIB
        await upstream.client_gone(0)


async def test_an_answer_of_exactly_the_limit_is_read(kind: type[Client]) -> None:
    client = kind(answer_limit=1000)
    async with ScriptedUpstream(answer(b"x" * 1000), answer(b"x" * 1001)) as upstream:
        assert len(await (await client.send(post(upstream.url("/")), within())).read()) == 1000
        with pytest.raises(BadAnswer):
            await (await client.send(post(upstream.url("/")), within())).read()
    await client.close()


async def test_an_unread_stream_is_not_taken_in(client: Client) -> None:
    endless: Script = [Send(SSE_HEAD), Send(chunk(bytes(16 * 1024)), times=None)]
    async with ScriptedUpstream(endless, send_buffer=16 * 1024) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        sent = -1
        while sent != upstream.connections[0].sent:
            sent = upstream.connections[0].sent
            await asyncio.sleep(0.05)  # until nothing has moved for that long
        assert sent < 640 * 1024
        response.close()
        await upstream.client_gone(0)


async def test_a_body_larger_than_every_buffer_arrives_whole_at_a_slow_reader(client: Client) -> None:
    parts = [bytes([number]) * 100_000 for number in range(100)]
    script: Script = [Send(SSE_HEAD), *(Send(chunk(part)) for part in parts), Send(LAST_CHUNK)]
    async with ScriptedUpstream(script) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        got = []
        async for part in response.chunks():
            got.append(part)
            for _ in range(10):
                await asyncio.sleep(0)
        assert b"".join(got) == b"".join(parts)
        assert max(map(len, got)) <= 512 * 1024


ERRORS: dict[str, tuple[Script, bytes]] = {
    "plain": (answer(b'{"error": {}}', status=429), b'{"error": {}}'),
    "gzip": (answer(gzip.compress(b"broken"), status=500, headers={"content-encoding": "gzip"}), b"broken"),
    "u28 endless": ([Send(head(500, CHUNKED)), Send(chunk(b"x" * 64 * 1024), times=None)], b"x" * 64 * 1024),
    "u28 of 256 MiB": ([Send(head(500, {"content-length": str(256 * MIB)})), Send(b"x" * MIB, 256)], b"x" * 64 * 1024),
    "reset": ([Send(head(500, {"content-length": "10"}) + b"12345"), Reset()], b""),
    "truncated": ([Send(head(500, {"content-length": "10"}) + b"12345"), Close()], b"12345"),
    "idle": ([Send(head(500, {"content-length": "10"}) + b"12345"), Hang()], b"12345"),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_an_error_body_is_read_as_far_as_it_is_useful(client: Client, name: str) -> None:
    script, expected = ERRORS[name]
    async with ScriptedUpstream(script) as upstream:
        response = await client.send(post(upstream.url("/")), within(idle_s=0.1) if name == "idle" else within())
        assert response.status >= 400
        body = await response.read_error()
        assert body == expected or (name == "reset" and body in (b"", b"12345"))


async def test_an_error_body_that_drips_is_left_after_two_seconds(client: Client) -> None:
    async with ScriptedUpstream([Send(head(500)), Drip(b"x" * 10_000, every_s=0.05)]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        began = time.monotonic()
        body = await response.read_error()
        assert 1.9 <= time.monotonic() - began < LONG_S
        assert set(body) == {ord("x")}
        await upstream.client_gone(0)


STREAM = [sse({"n": i}) for i in range(5)]


@pytest.mark.parametrize("kind", CLIENTS.values(), ids=CLIENTS)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, len(b"".join(STREAM)))))
def test_a_stream_is_the_same_bytes_however_it_is_cut(kind: type[Client], cuts: list[int]) -> None:
    async def run() -> bytes:
        client = kind()
        async with ScriptedUpstream(sse_answer(STREAM, cuts=cuts)) as upstream:
            response = await client.send(post(upstream.url("/")), within())
            got = b"".join([part async for part in response.chunks()])
        await client.close()
        return got

    assert asyncio.run(run()) == b"".join(STREAM)


@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50))
def test_compressed_bytes_come_out_the_same_however_they_are_cut(data: bytes, coding: str, size: int) -> None:
    wire = gzip.compress(data) if coding == "gzip" else zlib.compress(data)
    inflater = Inflater("gzip" if coding == "gzip" else "deflate")
    parts = [piece for i in range(0, len(wire), size) for piece in inflater.feed(wire[i : i + size])]
    assert b"".join([*parts, *inflater.finish()]) == data


def test_no_step_of_decoding_yields_more_than_its_bound() -> None:
    inflater = Inflater("gzip")
    assert max(len(piece) for piece in inflater.feed(bomb(4 * MIB))) <= STEP


async def test_cancelling_a_reader_closes_the_connection_at_once(client: Client) -> None:
    async with ScriptedUpstream([Send(SSE_HEAD + chunk(b"1")), Hang()]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        task = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.client_gone(0)


async def test_closing_in_the_middle_closes_the_connection_at_once(client: Client) -> None:
    async with ScriptedUpstream([Send(SSE_HEAD + chunk(b"1")), Hang()]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        async for _ in response.chunks():
            break
        response.close()
        response.close()
        await upstream.client_gone(0)


async def test_closing_wakes_a_reader_that_waits_elsewhere(client: Client) -> None:
    async with ScriptedUpstream([Send(SSE_HEAD), Hang()]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        task = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        response.close()
        with pytest.raises(UpstreamError):
            await asyncio.wait_for(task, 1)
