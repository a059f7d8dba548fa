"""Fault matrix, C1 to C8: callers that leave, do not read, or are slow."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

import gaiarouter
from tests.gateway.faults import ROLE, assert_tokens, attempts, chunk_of, completion, healthy, stream_events
from tests.gateway.running import ANSWER, BACKUP_ANSWER, RunningGateway, Starter, chat_body
from tests.support.script import SSE_HEAD, Hang, Script, Send, Step, Until, chunk, json_answer, sse, sse_answer
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream

CODE = Path(gaiarouter.__file__).parent
SAID = sse(chunk_of(ANSWER))
HEAD = Send(SSE_HEAD)

# nothing but the caller's leaving may end a request here
PATIENT = {"timeouts": {"connect": "9s", "first_byte": "9s", "idle": "9s", "total": "60s"}}


@asynccontextmanager
async def caller(gateway: RunningGateway, *, stream: bool) -> AsyncIterator[asyncio.StreamReader]:
    """Has sent a request; leaving the context hangs up."""
    body = json.dumps(chat_body("fb", stream=stream)).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
        % (gateway.key.encode(), len(body), body)
    )
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "script",
    [[Hang()], [HEAD, Send(chunk(ROLE)), Hang()], [HEAD, Hang()]],
    ids=["before the head", "before content", "after the head"],
)
async def test_t58_c1_leaving_before_the_first_byte_ends_the_attempt(
    start: Starter, script: Sequence[Step], stream: bool
) -> None:
    async with ScriptedUpstream(script) as upstream, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start({"main": upstream.url("/v1"), "backup": backup.url("/v1")}, defaults=PATIENT)
        async with caller(gateway, stream=stream):
            await upstream.until(lambda: upstream.requests and upstream.connections[0].sent >= len(script) - 1)
        await upstream.client_gone(within_s=1.0)
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["error"]) == (499, "cancelled", "client_closed_request")
        assert_tokens(record)
        assert (len(upstream.requests), len(backup.requests)) == (1, 0)
        assert attempts(gateway) == {("main", "cancelled"): 1}
        assert gateway.metric("client_disconnects_total", phase="before") == 1


async def test_t58_t98_c2_leaving_in_mid_stream_ends_the_attempt_and_is_accounted_for(start: Starter) -> None:
    script: list[Step] = [HEAD, Send(chunk(ROLE)), Send(chunk(SAID)), Hang()]
    async with ScriptedUpstream(script) as upstream, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start({"main": upstream.url("/v1"), "backup": backup.url("/v1")}, defaults=PATIENT)
        async with caller(gateway, stream=True) as reader:
            await reader.readuntil(ANSWER.encode())
        await upstream.client_gone(within_s=1.0)
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["error"]) == (499, "cancelled", "client_closed_request")
        assert record["estimated"] == 1
        assert record["in_uncached"] > 0
        assert record["out_visible"] > 0
        assert len(backup.requests) == 0
        assert gateway.metric("client_disconnects_total", phase="mid") == 1


async def test_leaving_while_a_retry_waits_ends_the_request(start: Starter) -> None:
    throttled = json_answer({"error": {}}, status=429, headers={"retry-after-ms": "1999"})
    async with ScriptedUpstream(throttled) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=PATIENT)
        body = json.dumps(chat_body("alone")).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
        )
        writer.write(head % (gateway.key.encode(), len(body)) + body)
        await upstream.until(lambda: upstream.requests)
        writer.close()
        async with asyncio.timeout(20):
            await gateway.idle()
        assert len(upstream.requests) == 1
        assert (await gateway.record())["status"] == 499


async def test_leaving_after_the_answer_is_whole_loses_nothing(start: Starter) -> None:
    async with ScriptedUpstream(sse_answer(stream_events(ANSWER))) as upstream:
        gateway = await start({"main": upstream.url("/v1"), "backup": upstream.url("/v1")})
        async with caller(gateway, stream=True) as reader:
            await reader.readuntil(b"[DONE]")
        record = await gateway.record()
        assert (record["status"], record["outcome"]) == (200, "ok")
        assert_tokens(record, in_uncached=7, out_visible=3)


async def test_c3_what_a_caller_does_not_read_is_not_read_from_the_provider(start: Starter) -> None:
    """6 MiB is the bound for the whole path, kernel buffers included; and others go on meanwhile."""
    event = chunk(sse(chunk_of("x" * 16_000)))
    script: list[Step] = [HEAD, Send(chunk(ROLE)), Send(event, times=None)]
    async with ScriptedUpstream(script) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1"), "backup": upstream.url("/v1")},
            defaults=PATIENT,
            limits={"concurrent": 8, "requests": "unlimited", "tokens": "unlimited"},
        )
        async with caller(gateway, stream=True) as reader:
            await reader.readuntil(b"xxxx")
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # a caller that reads nothing
            before = -1
            async with asyncio.timeout(BOUND_S):
                while upstream.connections[0].sent != before:
                    before = upstream.connections[0].sent
                    for _ in range(3):
                        assert (await gateway.chat("demo")).status == 200
            assert before < 6 * 2**20
        await upstream.client_gone(within_s=1.0)
        assert (await gateway.records())[0]["status"] == 499


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_c3_a_caller_that_takes_nothing_is_given_up(start: Starter, stream: bool) -> None:
    """A whole answer is in the gateway, and metered, before the first byte of it is written; its slot comes back."""
    events: list[Step] = [HEAD, Send(chunk(ROLE)), Send(chunk(sse(chunk_of("x" * 16_000))), times=None)]
    script = events if stream else json_answer(completion("x" * 16_000_000))
    async with ScriptedUpstream(script) as upstream:
        bases = {"main": upstream.url("/v1"), "backup": upstream.url("/v1")}
        gateway = await start(bases, defaults=PATIENT, stalled_s=0.3)
        async with caller(gateway, stream=stream) as reader:
            await reader.readuntil(b"xxxx")
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # a caller that reads nothing
            async with asyncio.timeout(BOUND_S):
                await gateway.idle()
        record = await gateway.record()
        assert (record["status"], record["outcome"]) == ((499, "cancelled") if stream else (200, "ok"))
        assert gateway.metric("client_disconnects_total", phase="slow") == stream
        assert gateway.metric("client_disconnects_total", phase="mid") == 0


async def test_n5_callers_that_do_not_read_cost_little_memory(start: Starter) -> None:
    """What the gateway's own code holds for each: one read of the provider's, and what else waits to be written."""
    event = chunk(sse(chunk_of("x" * 16_000)))
    callers = 12
    async with ScriptedUpstream([HEAD, Send(event, times=None)]) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1"), "backup": upstream.url("/v1")},
            defaults=PATIENT,
            limits={"concurrent": "unlimited", "requests": "unlimited", "tokens": "unlimited"},
        )
        assert (await gateway.chat("demo")).status == 200
        async with AsyncExitStack() as stalled:
            tracemalloc.start()
            stalled.callback(tracemalloc.stop)
            for _ in range(callers):
                reader = await stalled.enter_async_context(caller(gateway, stream=True))
                reader._transport.pause_reading()  # type: ignore[attr-defined]  # a caller that reads nothing
            before = -1
            async with asyncio.timeout(4 * BOUND_S):
                while len(upstream.connections) < callers or sum(c.sent for c in upstream.connections) != before:
                    before = sum(connection.sent for connection in upstream.connections)
                    for _ in range(5):
                        assert (await gateway.chat("demo")).status == 200
            ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{CODE}/*")])
        held = sum(trace.size for trace in ours.traces) / callers
        assert 16 * 1024 < held < 384 * 1024, [str(line) for line in ours.statistics("lineno")[:5]]


async def test_c4_a_caller_that_reads_slowly_gets_it_all(start: Starter) -> None:
    """The provider is not blamed for the caller's pauses: they are longer than its idle limit."""
    events = [sse(chunk_of("y" * 64_000)) for _ in range(60)]
    whole = [*stream_events("")[:1], *events, *stream_events("")[3:]]
    timeouts = {"connect": "10s", "first_byte": "10s", "idle": "200ms", "total": "60s"}
    async with ScriptedUpstream(sse_answer(whole)) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1"), "backup": upstream.url("/v1")}, defaults={"timeouts": timeouts}
        )
        async with caller(gateway, stream=True) as reader:
            got = 0
            await reader.readuntil(b"\r\n\r\n")
            for wait in (0.3, 0.3, 0.0):
                await asyncio.sleep(wait)  # the caller's own pace is what is tested
                while got < 3_000_000 if wait else not reader.at_eof():
                    data = await asyncio.wait_for(reader.read(2**18), BOUND_S)
                    got += data.count(b"y")
                    if b"[DONE]" in data[-40:] or wait:
                        break
            assert got == 60 * 64_000
        assert (await gateway.record())["outcome"] == "ok"


async def test_c8_pipelined_requests_are_answered_in_their_order(start: Starter) -> None:
    def script(request: Received) -> Script:
        return json_answer(completion(request.json()["model"]))

    async with ScriptedUpstream(script) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1")},
            routes=[
                {"match": "demo", "targets": [{"provider": "demo"}]},
                {"match": "*", "targets": [{"provider": "main"}]},
            ],
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        for name in ("first", "second", "third"):
            body = json.dumps(chat_body(name)).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
            writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        for name in ("first", "second", "third"):
            async with asyncio.timeout(BOUND_S):
                head_bytes = await reader.readuntil(b"\r\n\r\n")
                length = int(head_bytes.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = json.loads(await reader.readexactly(length))
            assert answer["choices"][0]["message"]["content"] == name
        writer.close()
        assert len(await gateway.records()) == 3


async def test_a_held_stream_is_kept_alive_and_can_still_fall_back(start: Starter) -> None:
    """After `stream.hold` the head goes out with a keep-alive; then the first target fails, and the next one speaks."""
    go = asyncio.Event()
    script: list[Step] = [HEAD, Send(chunk(ROLE)), Until(go), Send(b"zz\r\n")]
    async with ScriptedUpstream(script) as upstream, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start(
            {"main": upstream.url("/v1"), "backup": backup.url("/v1")}, defaults=PATIENT, stream={"hold": "50ms"}
        )
        async with gateway.streaming("fb") as response:
            assert response.status == 200
            seen = await response.content.readuntil(b"\n")
            assert seen.startswith(b":")
            go.set()
            reply = await gateway.rest_of(response, seen)
        assert reply.text == BACKUP_ANSWER
        assert reply.events[-1] == b"[DONE]"
        record = await gateway.record()
        assert (record["outcome"], record["provider"], record["attempts"]) == ("ok", "backup", 2)


async def test_a_held_stream_that_fails_ends_with_an_error_event(start: Starter) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream([HEAD, Until(go), *json_answer({"error": "x"}, status=500)]) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults=PATIENT, stream={"hold": "30ms"})
        async with gateway.streaming("alone") as response:
            seen = await response.content.readuntil(b"\n")
            go.set()
            reply = await gateway.rest_of(response, seen)
        assert (reply.status, reply.broken) == (200, False)
        assert reply.error["code"].startswith("upstream_")
        record = await gateway.record()
        assert (record["status"], record["outcome"]) == (200, "error"), "200 is what the caller saw"
        assert_tokens(record)
