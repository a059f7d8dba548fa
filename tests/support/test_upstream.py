"""The scripted upstream itself: what tests believe of it must be so."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.script import Hang, Reset, chunk, json_answer, sse, sse_answer
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream


async def _exchange(upstream: ScriptedUpstream, path: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.write(b"POST %b HTTP/1.1\r\nX-One: 1\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body)
    async with asyncio.timeout(BOUND_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_scripts_are_played_in_order_and_the_last_one_stays() -> None:
    async with ScriptedUpstream(json_answer(1), json_answer(2)) as upstream:
        assert [await _exchange(upstream, "/a", b"{}") for _ in range(3)] == [b"1", b"2", b"2"]
        assert [(r.method, r.path, r.headers["x-one"], r.json()) for r in upstream.requests] == [
            ("POST", "/a", "1", {})
        ] * 3


async def test_a_function_may_answer_by_what_was_asked() -> None:
    def script(request: Received) -> tuple[object, ...]:
        return json_answer({"path": request.path})

    async with ScriptedUpstream(script) as upstream:  # type: ignore[arg-type]
        assert await _exchange(upstream, "/b", b"") == b'{"path": "/b"}'


async def test_a_client_that_leaves_is_noticed() -> None:
    async with ScriptedUpstream([Hang()]) as upstream:
        _, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(b"POST / HTTP/1.1\r\n\r\n")
        await upstream.until(lambda: upstream.requests)
        assert upstream.connections[0].gone_at is None
        writer.close()
        await upstream.client_gone(0)
        assert upstream.connections[0].gone_at is not None


async def test_a_reset_reaches_the_client_as_a_reset() -> None:
    async with ScriptedUpstream(on_connect=[Reset()]) as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), BOUND_S)
        writer.close()


def test_cuts_fall_where_they_are_asked_for() -> None:
    steps = sse_answer([sse({"a": 1}), sse(b"[DONE]")], cuts=[1, 3])
    sent = [step.data for step in steps[1:-1]]  # type: ignore[union-attr]
    assert sent == [chunk(b"d"), chunk(b"at"), chunk(b'a: {"a": 1}\n\ndata: [DONE]\n\n')]
