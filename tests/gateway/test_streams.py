"""Fault matrix, U60 to U69: streams that fail, before and after the caller has seen any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.gateway.faults import (
    DONE,
    FINISH,
    ROLE,
    Fault,
    assert_alone,
    assert_falls_back,
    assert_let_go,
    attempts,
    chunk_of,
    completion,
    healthy,
    stream_events,
)
from tests.gateway.running import ANSWER, BACKUP_ANSWER, QUICK, Reply, Starter, assert_error_event
from tests.support.script import (
    LAST_CHUNK,
    SSE_HEAD,
    Close,
    Drip,
    Hang,
    Reset,
    Send,
    Step,
    Until,
    answer,
    chunk,
    json_answer,
    sse,
    sse_answer,
)
from tests.support.upstream import ScriptedUpstream

HEAD = Send(SSE_HEAD)
COMMENT = b": thinking\n\n"
OVERLOADED = sse({"error": {"message": "busy", "type": "server_error", "code": "overloaded"}})
CRASHED = sse({"error": {"message": "the model crashed"}})


def begun(*steps: Step, said: Sequence[bytes] = (ROLE,)) -> list[Step]:
    return [HEAD, *(Send(chunk(event)) for event in said), *steps]


def timed_out(name: str, script: Sequence[Step]) -> Fault:
    return Fault(name, script, 504, "upstream_timeout", "timeout_first_byte", tries=1)


BEFORE = [
    timed_out("U60 silence", [HEAD, Hang()]),
    timed_out("U60 role then silence", begun(Hang())),
    Fault("U61 reset", [HEAD, Reset()], 502, "upstream_protocol_error", "reset"),
    Fault("U61 role then reset", begun(Reset()), 502, "upstream_protocol_error", "reset"),
    Fault("U62 nothing", [HEAD, Send(LAST_CHUNK)], 502, "upstream_stream_interrupted", "reset"),
    Fault("U62 role then the end", begun(Send(LAST_CHUNK)), 502, "upstream_stream_interrupted", "reset"),
    Fault("U62 cut in a chunk", begun(Close()), 502, "upstream_protocol_error", "protocol_error"),
    Fault("U62 done without an answer", sse_answer([ROLE, DONE]), 502, "upstream_bad_response", "bad_response"),
    Fault("U64 error first", sse_answer([CRASHED, DONE]), 502, "upstream_error", "bad_response"),
    Fault("U64 overload after role", sse_answer([ROLE, OVERLOADED]), 503, "upstream_overloaded", "http_5xx"),
    Fault("U65 malformed", sse_answer([ROLE, sse(b'{"choices": [')]), 502, "upstream_bad_response", "bad_response"),
    Fault(
        "U66 web page",
        answer(b"<html>log in</html>", headers={"content-type": "text/html; charset=utf-8"}),
        502,
        "upstream_bad_response",
        "bad_response",
    ),
    Fault(
        "U68 no content for a megabyte",
        [HEAD, Send(chunk(sse(chunk_of("", padding="x" * 2**18))), times=None)],
        502,
        "upstream_response_too_large",
        "too_large",
    ),
    timed_out("U69 comments only", [HEAD, Drip(chunk(COMMENT) * 200, every_s=0.002)]),
]


@pytest.mark.parametrize("fault", BEFORE, ids=str)
async def test_a_stream_that_fails_before_its_content_alone(start: Starter, fault: Fault) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_alone(start, upstream.url("/v1"), fault, stream=True)
        assert len(upstream.requests) == fault.tries
        await assert_let_go(upstream, fault)


@pytest.mark.parametrize("fault", BEFORE, ids=str)
async def test_the_client_on_aiohttp_is_right_about_it_too(start: Starter, fault: Fault) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_alone(start, upstream.url("/v1"), fault, stream=True, upstream={"client": "aiohttp"})


@pytest.mark.parametrize("fault", BEFORE, ids=str)
async def test_a_stream_that_fails_before_its_content_with_a_fallback(start: Starter, fault: Fault) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_falls_back(start, upstream.url("/v1"), fault, stream=True)
        assert len(upstream.requests) == 1
        await assert_let_go(upstream, fault)


@dataclass(frozen=True)
class Broken:
    """How a stream breaks once the caller has seen content. code: of the error event. outcome: of the attempt."""

    name: str
    steps: Sequence[Step]
    code: str
    outcome: str

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


SAID = (ROLE, sse(chunk_of(ANSWER)))
END = Send(LAST_CHUNK)


def then(*events: bytes) -> list[Step]:
    return [*(Send(chunk(event)) for event in events), END]


AFTER = [
    Broken("U60 silence", [Hang()], "stream_timeout", "timeout_idle"),
    Broken("U61 reset", [Reset()], "upstream_stream_interrupted", "reset"),
    Broken("U62 clean end", [END], "upstream_stream_interrupted", "reset"),
    Broken("U62 cut in a chunk", [Close()], "upstream_stream_interrupted", "protocol_error"),
    Broken("U62 bad chunk", [Send(b"zz\r\n")], "upstream_stream_interrupted", "protocol_error"),
    Broken("U62 half an event", then(FINISH[:30]), "upstream_stream_interrupted", "reset"),
    Broken("U64 error", then(CRASHED, DONE), "upstream_error", "bad_response"),
    Broken("U64 overload", then(OVERLOADED, DONE), "upstream_overloaded", "http_5xx"),
    Broken("U64 named error", then(b'event: error\ndata: {"message": "gone"}\n\n'), "upstream_error", "bad_response"),
    Broken("U65 malformed", then(sse(b"{nope"), FINISH, DONE), "upstream_bad_response", "bad_response"),
    Broken(
        "U68 a line without end",
        [Send(chunk(b"data: ")), Send(chunk(b"x" * 2**20), times=None)],
        "upstream_response_too_large",
        "too_large",
    ),
]


@pytest.mark.parametrize("broken", AFTER, ids=str)
async def test_t33_t35_a_stream_that_breaks_ends_with_an_error_event(start: Starter, broken: Broken) -> None:
    """No finish reason, no [DONE], nobody else's text; what was said is accounted for, as an estimate."""
    go = asyncio.Event()
    script = begun(Until(go), *broken.steps, said=SAID)
    async with ScriptedUpstream(script) as upstream, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        defaults = {"defaults": QUICK} if Hang() in broken.steps else {}
        gateway = await start({"main": upstream.url("/v1"), "backup": backup.url("/v1")}, **defaults)
        async with gateway.streaming("fb") as response:
            seen = await response.content.readuntil(ANSWER.encode())
            go.set()
            reply = await gateway.rest_of(response, seen)
        assert_error_event(reply, broken.code)
        assert reply.text == ANSWER
        assert len(backup.requests) == 0
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["error"]) == (200, "interrupted", broken.code)
        assert (record["attempts"], record["estimated"]) == (1, 1)
        assert record["in_uncached"] > 0
        assert record["out_visible"] > 0
        assert attempts(gateway) == {("main", broken.outcome): 1}
        assert gateway.metric("streams_interrupted_total", provider="main", cause=broken.code) == 1
        if Hang() in broken.steps:
            await upstream.client_gone()


async def test_u61_the_error_event_comes_at_once(start: Starter) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream(begun(Until(go), Reset(), said=SAID)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        async with gateway.streaming() as response:
            await response.content.readuntil(ANSWER.encode())
            began = asyncio.get_running_loop().time()
            go.set()
            assert b"upstream_stream_interrupted" in await response.read()
            assert asyncio.get_running_loop().time() - began < 5, "not when the provider has been silent for too long"


async def test_usage_that_came_before_the_break_is_believed(start: Starter) -> None:
    usage = sse(chunk_of(ANSWER, usage={"prompt_tokens": 70, "completion_tokens": 5}))
    async with ScriptedUpstream(begun(Reset(), said=(ROLE, usage))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        assert_error_event(await gateway.chat(stream=True), "upstream_stream_interrupted")
        record = await gateway.record()
        assert (record["in_uncached"], record["out_visible"], record["estimated"]) == (70, 5, 0)


async def test_t88_u67_json_for_a_stream_is_told_as_a_stream(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(completion(ANSWER))) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat(stream=True, stream_options={"include_usage": True})
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert (reply.status, reply.text, reply.events[-1]) == (200, ANSWER, b"[DONE]")
        assert [e["usage"]["prompt_tokens"] for e in reply.events[:-1] if e.get("usage")] == [7]


async def test_u70_a_stream_that_is_slow_but_alive_is_never_cut(start: Starter) -> None:
    """Longer in all than the idle limit, and than the limit for the first content. A machine that stands still for a
    second may cut two of three."""
    events = b"".join(chunk(event) for event in stream_events(ANSWER)[2:])
    timeouts = {"connect": "10s", "first_byte": "1s", "idle": "1s", "total": "60s"}
    script = begun(Drip(events, every_s=0.002), Send(LAST_CHUNK), said=SAID)
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"timeouts": timeouts})
        replies: list[Reply] = []
        while len(replies) < 3 and not (replies and replies[-1].events[-1] == b"[DONE]"):
            began = asyncio.get_running_loop().time()
            replies.append(await gateway.chat(stream=True))
        assert asyncio.get_running_loop().time() - began > 1
        assert replies[-1].events[-1] == b"[DONE]"
        assert (await gateway.records())[-1]["outcome"] == "ok"


async def test_u69_a_stream_that_only_comments_after_its_first_words_ends_at_the_total_limit(start: Starter) -> None:
    """None of its comments prolongs the whole."""
    timeouts = {"connect": "10s", "first_byte": "10s", "idle": "10s", "total": "1200ms"}
    script = begun(Drip(chunk(COMMENT) * 999, every_s=0.002), said=SAID)
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"timeouts": timeouts})
        reply = await gateway.chat(stream=True)
        assert_error_event(reply, "deadline_exceeded")
        assert reply.text == ANSWER
        await upstream.client_gone()
        assert gateway.metric("breaker_state", provider="main") == 0


async def test_u71_a_stream_without_end_is_cut_at_the_total_limit(start: Starter) -> None:
    timeouts = {"connect": "10s", "first_byte": "10s", "idle": "10s", "total": "700ms"}
    script = begun(Drip(chunk(sse(chunk_of("x"))) * 999, every_s=0.001), said=SAID)
    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"timeouts": timeouts})
        reply = await gateway.chat(stream=True)
        assert_error_event(reply, "deadline_exceeded")
        record = await gateway.record()
        assert (record["outcome"], record["error"], record["estimated"]) == ("interrupted", "deadline_exceeded", 1)
        await upstream.client_gone()
