"""The fault matrix behind targets that speak another format than their caller: what Claude and Gemini do wrong is told
to a Chat caller as everybody's is, or falls back to a provider that speaks Chat.

What goes wrong below the formats (connections, heads, framing) is one code for all, and stands in the other matrices.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.gateway.faults import (
    Fault,
    assert_alone,
    assert_falls_back,
    assert_let_go,
    assert_tokens,
    attempts,
    healthy,
)
from tests.gateway.running import ANSWER, BACKUP_ANSWER, QUICK, Starter, assert_error_event
from tests.support.script import (
    LAST_CHUNK,
    SSE_HEAD,
    Close,
    Hang,
    Reset,
    Script,
    Send,
    Step,
    Until,
    answer,
    chunk,
    error_answer,
    head,
    json_answer,
    sse,
    sse_answer,
)
from tests.support.upstream import Received, ScriptedUpstream

HALF = len(ANSWER) // 2
SAID_TOKENS = 5
"""Of ANSWER's 18 letters, by the estimate."""
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@dataclass(frozen=True)
class Format:
    """How a provider says things. opening: events before the first content; said: the whole answer in two; ending: the
    rest of a good stream. whole: the same not streamed. overloaded, crashed, limited: bodies of its errors.
    error_name: of an error's event."""

    dialect: str
    opening: tuple[bytes, ...]
    said: tuple[bytes, ...]
    ending: tuple[bytes, ...]
    whole: dict[str, Any]
    overloaded: dict[str, Any]
    crashed: dict[str, Any]
    limited: dict[str, Any]
    wrong_shape: dict[str, Any]
    error_name: str | None

    def __str__(self) -> str:
        return self.dialect

    def base(self, upstream: ScriptedUpstream) -> str:
        return upstream.url("")

    def healthy(self, request: Received) -> Script:
        is_stream = request.json().get("stream") or "streamGenerateContent" in request.path
        return sse_answer((*self.opening, *self.said, *self.ending)) if is_stream else json_answer(self.whole)

    def error_event(self, error: dict[str, Any]) -> bytes:
        name = b"" if self.error_name is None else f"event: {self.error_name}\n".encode()
        return name + b"data: " + json.dumps(error).encode() + b"\n\n"


def named(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def said(text: str) -> bytes:
    return named("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "stop_sequence": None}
CLAUDE = Format(
    "anthropic",
    opening=(
        named(
            "message_start",
            message={**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 7, "output_tokens": 1}},
        ),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ),
    said=(said(ANSWER[:HALF]), said(ANSWER[HALF:])),
    ending=(
        named("content_block_stop", index=0),
        named("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 3}),
        named("message_stop"),
    ),
    whole={
        **MESSAGE,
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 3},
    },
    overloaded={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    crashed={"type": "error", "error": {"type": "api_error", "message": "Internal server error"}},
    limited={"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}},
    wrong_shape={**MESSAGE, "content": "none", "stop_reason": "end_turn"},
    error_name="error",
)


def candidate(text: str | None, **members: Any) -> dict[str, Any]:
    parts = {} if text is None else {"parts": [{"text": text}]}
    return {"candidates": [{"content": {"role": "model", **parts}, "index": 0, **members}]}


def status(code: int, name: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "status": name, "message": message}}


COUNTED = {"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}}
GEMINI = Format(
    "google",
    opening=(sse({"usageMetadata": {"promptTokenCount": 7}, "responseId": "r"}),),
    said=(sse(candidate(ANSWER[:HALF])), sse(candidate(ANSWER[HALF:]))),
    ending=(sse({**candidate(None, finishReason="STOP"), **COUNTED}),),
    whole={**candidate(ANSWER, finishReason="STOP"), **COUNTED},
    overloaded=status(503, "UNAVAILABLE", "The model is overloaded"),
    crashed=status(500, "INTERNAL", "Internal error"),
    limited=status(429, "RESOURCE_EXHAUSTED", "Slow down"),
    wrong_shape={"candidates": "none"},
    error_name=None,
)
FORMATS = (CLAUDE, GEMINI)
formats = pytest.mark.parametrize("target", FORMATS, ids=str)

WEB_PAGE = answer(b"<html>log in</html>", headers={"content-type": "text/html; charset=utf-8"})


def unusable(name: str, script: Script) -> Fault:
    return Fault(name, script, 502, "upstream_bad_response", "bad_response")


def either_way(target: Format) -> list[Fault]:
    """Whether a stream was asked for or not."""
    good = json.dumps(target.whole).encode()
    as_json = {"content-type": "application/json"}
    cut = [Send(head(200, {**as_json, "content-length": "9999"}) + good), Close()]
    return [
        Fault("U20 500", json_answer(target.crashed, status=500), 502, "upstream_error", "http_5xx"),
        Fault("U21 503", json_answer(target.overloaded, status=503), 503, "upstream_overloaded", "http_5xx"),
        Fault("U21 529", json_answer(target.overloaded, status=529), 503, "upstream_overloaded", "http_5xx"),
        Fault("U21 529 web page", error_answer(529), 503, "upstream_overloaded", "http_5xx"),
        Fault("U23 429", json_answer(target.limited, status=429), 429, "upstream_rate_limited", "http_429", tries=1),
        Fault("U40 cut", cut, 502, "upstream_protocol_error", "protocol_error"),
        unusable("U41 empty", answer(b"", headers=as_json)),
        unusable("U41 not JSON", answer(b"{nope", headers=as_json)),
        unusable("U41 array", answer(b"[]", headers=as_json)),
        unusable("U41 nothing in it", answer(b"{}", headers=as_json)),
        unusable("U41 wrong shape", json_answer(target.wrong_shape)),
        unusable("U41 web page", WEB_PAGE),
        Fault("U42 overload inside", json_answer(target.overloaded), 503, "upstream_overloaded", "http_5xx"),
        Fault("U42 limit inside", json_answer(target.limited), 429, "upstream_rate_limited", "http_429", tries=1),
    ]


def before_content(target: Format) -> list[Fault]:
    """Only a stream can fail like this."""
    opened: list[Step] = [Send(SSE_HEAD), *(Send(chunk(event)) for event in target.opening)]
    overloaded = target.error_event(target.overloaded)
    return [
        Fault("U60 silence", [*opened, Hang()], 504, "upstream_timeout", "timeout_first_byte", tries=1),
        Fault("U61 reset", [*opened, Reset()], 502, "upstream_protocol_error", "reset"),
        Fault("U62 the end", [*opened, Send(LAST_CHUNK)], 502, "upstream_stream_interrupted", "reset"),
        Fault("U62 nothing", [Send(SSE_HEAD), Send(LAST_CHUNK)], 502, "upstream_stream_interrupted", "reset"),
        Fault("U62 cut", [*opened, Close()], 502, "upstream_protocol_error", "protocol_error"),
        Fault("U64 overload first", sse_answer([overloaded]), 503, "upstream_overloaded", "http_5xx"),
        Fault("U64 overload", sse_answer([*target.opening, overloaded]), 503, "upstream_overloaded", "http_5xx"),
        unusable("U65 malformed", sse_answer([*target.opening, sse(b'{"type": ')])),
    ]


def all_of(target: Format) -> list[tuple[Fault, bool]]:
    often = [(fault, stream) for fault in either_way(target) for stream in (False, True)]
    return [*often, *((fault, True) for fault in before_content(target))]


CELLS = pytest.mark.parametrize(
    ("target", "fault", "stream"),
    [
        pytest.param(target, fault, stream, id=f"{target}-{fault}-{'stream' if stream else 'whole'}")
        for target in FORMATS
        for fault, stream in all_of(target)
    ],
)


@both
@formats
async def test_a_good_answer_is_one(start: Starter, target: Format, stream: bool) -> None:
    """Else the faults below would be this one."""
    async with ScriptedUpstream(target.healthy) as upstream:
        gateway = await start({"main": target.base(upstream)}, main=target.dialect)
        reply = await gateway.chat("alone", stream=stream)
        assert (reply.status, reply.text) == (200, ANSWER)
        record = await gateway.record()
        assert (record["outcome"], record["estimated"]) == ("ok", 0)
        assert_tokens(record, in_uncached=7, out_visible=3)


@CELLS
async def test_a_fault_alone(start: Starter, target: Format, fault: Fault, stream: bool) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_alone(start, target.base(upstream), fault, stream=stream, main=target.dialect)
        assert len(upstream.requests) == fault.tries
        await assert_let_go(upstream, fault)


@CELLS
async def test_a_fault_with_a_fallback_of_another_format(
    start: Starter, target: Format, fault: Fault, stream: bool
) -> None:
    async with ScriptedUpstream(fault.script) as upstream:
        await assert_falls_back(start, target.base(upstream), fault, stream=stream, main=target.dialect)
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


def after_content(target: Format) -> list[Broken]:
    def then(*events: bytes) -> list[Step]:
        return [*(Send(chunk(event)) for event in events), Send(LAST_CHUNK)]

    return [
        Broken("U60 silence", [Hang()], "stream_timeout", "timeout_idle"),
        Broken("U61 reset", [Reset()], "upstream_stream_interrupted", "reset"),
        Broken("U62 the end", [Send(LAST_CHUNK)], "upstream_stream_interrupted", "reset"),
        Broken("U62 cut", [Close()], "upstream_stream_interrupted", "protocol_error"),
        Broken("U62 half an event", then(target.ending[-1][:30]), "upstream_stream_interrupted", "reset"),
        Broken("U64 overload", then(target.error_event(target.overloaded)), "upstream_overloaded", "http_5xx"),
        Broken("U64 crash", then(target.error_event(target.crashed)), "upstream_error", "http_5xx"),
        Broken("U65 malformed", then(sse(b"{nope"), *target.ending), "upstream_bad_response", "bad_response"),
    ]


@pytest.mark.parametrize(
    ("target", "broken"),
    [pytest.param(target, broken, id=f"{target}-{broken}") for target in FORMATS for broken in after_content(target)],
)
async def test_a_stream_that_breaks_ends_with_an_error_event(start: Starter, target: Format, broken: Broken) -> None:
    """No finish reason, no [DONE], nobody else's text; what was said is accounted for."""
    go = asyncio.Event()
    begun: list[Step] = [Send(SSE_HEAD), *(Send(chunk(event)) for event in (*target.opening, *target.said))]
    async with (
        ScriptedUpstream([*begun, Until(go), *broken.steps]) as upstream,
        ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup,
    ):
        defaults = {"defaults": QUICK} if Hang() in broken.steps else {}
        bases = {"main": target.base(upstream), "backup": backup.url("/v1")}
        gateway = await start(bases, main=target.dialect, **defaults)
        async with gateway.streaming("fb") as response:
            seen = await response.content.readuntil(ANSWER[HALF:].encode())
            go.set()
            reply = await gateway.rest_of(response, seen)
        assert_error_event(reply, broken.code)
        assert reply.text == ANSWER
        assert len(backup.requests) == 0
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["error"]) == (200, "interrupted", broken.code)
        assert (record["attempts"], record["in_uncached"]) == (1, 7)
        assert (record["out_visible"], record["estimated"]) == (SAID_TOKENS, 1)
        assert attempts(gateway) == {("main", broken.outcome): 1}
        assert gateway.metric("streams_interrupted_total", provider="main", cause=broken.code) == 1
        if Hang() in broken.steps:
            await upstream.client_gone()


@formats
async def test_c2_who_leaves_in_mid_stream_is_charged_what_was_said(start: Starter, target: Format) -> None:
    """Not the count with which Claude opens a stream: 1."""
    begun: list[Step] = [Send(SSE_HEAD), *(Send(chunk(event)) for event in (*target.opening, *target.said))]
    async with ScriptedUpstream([*begun, Hang()]) as upstream:
        gateway = await start({"main": target.base(upstream)}, main=target.dialect)
        async with gateway.streaming() as response:
            await response.content.readuntil(ANSWER[HALF:].encode())
        await upstream.client_gone()
        record = await gateway.record()
    assert (record["in_uncached"], record["out_visible"], record["estimated"]) == (7, SAID_TOKENS, 1)
