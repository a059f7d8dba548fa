"""N1 in counts: who is let in, who waits, who is told to come back, and what those inside notice of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.gateway.faults import chunk_of, completion, healthy, stream_events
from tests.gateway.running import ANSWER, Reply, RunningGateway, Starter, assert_error, chat_body
from tests.support.script import SSE_HEAD, Script, Send, Step, Until, chunk, json_answer, sse, sse_answer
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream

MANY = {"concurrent": "unlimited", "requests": "unlimited", "tokens": "unlimited"}
PATIENT = {"timeouts": {"connect": "9s", "first_byte": "9s", "idle": "9s", "total": "60s"}}


async def opened(start: Starter, upstream: ScriptedUpstream, **server: Any) -> RunningGateway:
    return await start({"main": upstream.url("/v1")}, server=server, limits=MANY, defaults=PATIENT)


async def until_done(tasks: Sequence[asyncio.Task[Reply]], count: int) -> None:
    async with asyncio.timeout(BOUND_S):
        while sum(task.done() for task in tasks) < count:
            await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED)


async def test_n1_three_times_too_many_are_let_in_wait_or_are_told_at_once(start: Starter) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream([Until(go), *json_answer(completion(ANSWER))]) as upstream:
        gateway = await opened(start, upstream, max_requests=8, max_pending_requests=4, pending_timeout="30s")
        offered = [asyncio.create_task(gateway.chat()) for _ in range(24)]
        await until_done(offered, 12)
        await upstream.until(lambda: len(upstream.requests) == 8)
        refused = [task.result() for task in offered if task.done()]
        assert len(refused) == 12, "those who wait have no answer yet, those inside neither"
        for reply in refused:
            assert_error(reply, 503, "overloaded")
            assert reply.headers["retry-after"] == "1"
        go.set()
        served = [reply for reply in await asyncio.gather(*offered) if reply.status == 200]
        assert len(served) == len(upstream.requests) == 12
        assert gateway.metric("shed_total", reason="full") == 12
        labels = {"route": "none", "model": "none", "code_class": "5xx", "code": "overloaded"}
        assert gateway.metric("requests_total", **labels) == 12
        assert len(await gateway.records()) == 12, "who was not let in leaves no record"


async def test_n1_a_flood_takes_nothing_from_those_inside(start: Starter) -> None:
    """Eight streams run; of 320 more none reaches the provider, and each event still comes before the next is sent."""
    steps = [asyncio.Event() for _ in range(5)]
    script: list[Step] = [Send(SSE_HEAD), Send(chunk(sse(chunk_of("0"))))]
    for number, step in enumerate(steps, 1):
        script += [Until(step), Send(chunk(sse(chunk_of(str(number)))))]
    script += [*sse_answer(stream_events("")[-2:])[1:]]
    async with ScriptedUpstream(script) as upstream:
        gateway = await opened(start, upstream, max_requests=8, max_pending_requests=0)

        async def watched() -> str:
            async with gateway.streaming() as response:
                said = await response.content.readuntil(b'"0"')
                inside.release()
                for number in range(1, 6):
                    said += await response.content.readuntil(f'"{number}"'.encode())
                    seen[number].release()
                return (await gateway.rest_of(response, said)).text

        inside, seen = asyncio.Semaphore(0), [asyncio.Semaphore(0) for _ in range(6)]
        streams = [asyncio.create_task(watched()) for _ in range(8)]
        for _ in streams:
            await asyncio.wait_for(inside.acquire(), BOUND_S)
        for number, step in enumerate(steps[:-1], 1):
            flood = [asyncio.create_task(gateway.chat()) for _ in range(80)]
            step.set()
            for _ in streams:
                await asyncio.wait_for(seen[number].acquire(), BOUND_S)
            assert {reply.status for reply in await asyncio.gather(*flood)} == {503}
        steps[-1].set()
        assert await asyncio.gather(*streams) == ["012345"] * 8
        assert len(upstream.requests) == 8
        assert gateway.metric("shed_total", reason="full") == 320


async def test_who_waits_too_long_is_told_to_come_back(start: Starter) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream([Until(go), *json_answer(completion(ANSWER))]) as upstream:
        gateway = await opened(start, upstream, max_requests=1, pending_timeout="30ms")
        first = asyncio.create_task(gateway.chat())
        await upstream.until(lambda: upstream.requests)
        assert_error(await gateway.chat(stream=True), 503, "overloaded")
        go.set()
        assert (await first).status == 200
        assert gateway.metric("shed_total", reason="waited") == 1
        assert len(upstream.requests) == 1


async def test_a_slot_is_taken_until_a_slow_reader_has_read_its_answer(start: Starter) -> None:
    large = completion("x" * 8_000_000)

    def script(request: Received) -> Script:
        return json_answer(large)

    async with ScriptedUpstream(script) as upstream:
        gateway = await opened(start, upstream, max_requests=1, max_pending_requests=0)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=2**16)
        body = json.dumps(chat_body("alone")).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), BOUND_S)
        assert_error(await gateway.chat("demo"), 503, "overloaded")
        writer.close()
        await gateway.idle()
        assert (await gateway.chat("demo")).status == 200


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/metrics", "/v1/models"])
async def test_operators_are_answered_while_it_is_full(start: Starter, path: str) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream([Until(go), *json_answer(completion(ANSWER))]) as upstream:
        gateway = await opened(start, upstream, max_requests=1, max_pending_requests=0)
        running = asyncio.create_task(gateway.chat())
        await upstream.until(lambda: upstream.requests)
        assert (await gateway.get(path)).status == 200
        go.set()
        await running


async def test_a_burst_within_the_bounds_is_served_whole(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await opened(start, upstream, max_requests=4, max_pending_requests=60, pending_timeout="30s")
        replies = await asyncio.gather(*[gateway.chat(stream=number % 2 == 0) for number in range(64)])
        assert {(reply.status, reply.text) for reply in replies} == {(200, ANSWER)}
        assert len(upstream.requests) == 64
