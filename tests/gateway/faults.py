"""What can go wrong at a provider, and the four things that must then be so: the caller's answer, the usage record, the
metrics, and what the provider saw.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.gateway.running import (
    ANSWER,
    BACKUP_ANSWER,
    QUICK,
    Reply,
    RunningGateway,
    Starter,
    assert_error,
)
from tests.support.script import Drip, Hang, Script, Send, json_answer, sse, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

TOKEN_CLASSES = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def completion(text: str, **members: Any) -> dict[str, Any]:
    """A whole answer; a member of None is left out."""
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": USAGE,
        **members,
    }
    return {name: value for name, value in whole.items() if value is not None}


def chunk_of(text: str | None = None, *, finish: str | None = None, **members: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **members}


ROLE = sse(chunk_of(""))
FINISH = sse(chunk_of(finish="stop"))
USAGE_EVENT = sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
DONE = sse(b"[DONE]")


def stream_events(text: str) -> list[bytes]:
    half = len(text) // 2
    return [ROLE, sse(chunk_of(text[:half])), sse(chunk_of(text[half:])), FINISH, USAGE_EVENT, DONE]


def healthy(text: str) -> Any:
    """A provider that answers as it is asked, streamed or not."""

    def script(request: Received) -> Script:
        return sse_answer(stream_events(text)) if request.json().get("stream") else json_answer(completion(text))

    return script


@dataclass(frozen=True)
class Fault:
    """tries: how often a provider that stands alone is asked. falls_back: whether another would be asked."""

    name: str
    script: Script
    status: int
    code: str | None
    outcome: str
    tries: int = 2
    falls_back: bool = True
    on_connect: Script = ()

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    @property
    def limits(self) -> dict[str, Any]:
        """What the configuration says of time: little for a provider that is silent."""
        return {"defaults": QUICK} if self.outcome.startswith("timeout") else {}


async def assert_let_go(upstream: ScriptedUpstream, fault: Fault) -> None:
    """The provider has no connection left on which it still owes something: silent, dripping or endless ones."""
    if any(isinstance(step, Hang | Drip) or (isinstance(step, Send) and step.times is None) for step in fault.script):
        for connection in range(len(upstream.connections)):
            await upstream.client_gone(connection)


def assert_tokens(record: sqlite3.Row, **tokens: int) -> None:
    assert {name: record[name] for name in TOKEN_CLASSES if record[name]} == tokens


def attempts(gateway: RunningGateway) -> Mapping[tuple[str, str], float]:
    """By provider and outcome, how often tried; the gateway's own model left out."""
    return {
        (sample.labels["provider"], sample.labels["outcome"]): sample.value
        for family in gateway.gateway.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "gaiarouter_upstream_attempts_total" and sample.labels["provider"] != "demo"
    }


async def assert_alone(start: Starter, base: str, fault: Fault, *, stream: bool, **changes: Any) -> Reply:
    """The provider stands alone: the caller is told in so many words, and pays nothing."""
    gateway = await start({"main": base}, **(fault.limits | changes))
    reply = await gateway.chat("alone", stream=stream)
    assert_error(reply, fault.status, fault.code)
    assert reply.headers["x-gaia-error-source"] == "upstream"
    assert reply.headers["x-gaia-attempts"] == str(fault.tries)
    record = await gateway.record()
    assert (record["status"], record["outcome"], record["error"]) == (fault.status, "error", fault.code or "other")
    assert (record["attempts"], record["provider"], record["streamed"]) == (fault.tries, "main", int(stream))
    assert record["request_id"] == reply.headers["x-request-id"]
    assert_tokens(record)
    assert attempts(gateway) == {("main", fault.outcome): fault.tries}
    labels = {"route": "alone", "model": "m-1", "code_class": f"{fault.status // 100}xx", "code": fault.code or "other"}
    assert gateway.metric("requests_total", **labels) == 1
    return reply


async def assert_falls_back(start: Starter, base: str, fault: Fault, *, stream: bool, **changes: Any) -> None:
    """Another provider is well: the caller gets its answer, whole and alone, and the record is of that one."""
    async with ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        gateway = await start({"main": base, "backup": backup.url("/v1")}, **(fault.limits | changes))
        reply = await gateway.chat("fb", stream=stream)
        assert (reply.status, reply.text) == (200, BACKUP_ANSWER)
        assert ANSWER.encode() not in reply.body
        assert [reply.headers[f"x-gaia-{name}"] for name in ("provider", "model", "attempts")] == ["backup", "m-2", "2"]
        assert len(backup.requests) == 1
        assert backup.requests[0].json()["model"] == "m-2"
        record = await gateway.record()
        assert (record["status"], record["outcome"], record["error"]) == (200, "ok", None)
        assert (record["attempts"], record["provider"], record["estimated"]) == (2, "backup", 0)
        assert_tokens(record, in_uncached=7, out_visible=3)
        assert attempts(gateway) == {("main", fault.outcome): 1, ("backup", "ok"): 1}
        labels = {"from": "main", "to": "backup", "reason": fault.outcome}
        assert gateway.metric("fallbacks_total", **labels) == 1
