"""The guard of the translated path: as test_hot_path.py, for a Chat caller of Claude and of Gemini."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from tests.dialects.gemini import stream as gemini
from tests.dialects.messages import stream as messages
from tests.gateway.running import Starter
from tests.performance.calls import Caller, counted
from tests.performance.test_hot_path import PROMPT, TIMES, UNLIMITED, assert_no_dearer, body
from tests.support.script import LAST_CHUNK, SSE_HEAD, Script, Send, Until, chunk, json_answer
from tests.support.upstream import Received, ScriptedUpstream

RECORDED: Final = {
    "request to anthropic": 464.0,
    "request to google": 465.0,
    "request with tools to anthropic": 917.0,
    "request with tools to google": 973.0,
    "chunk of anthropic": 72.0,
    "chunk of google": 86.0,
    "read of 10 chunks of anthropic": 77.0,
    "read of 10 chunks of google": 94.0,
}
ANSWERS: dict[str, Any] = {
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "It passes requests on."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 40, "output_tokens": 12},
    },
    "google": gemini.response(gemini.text("It passes requests on."), finish="STOP"),
}
WORDS = {
    "anthropic": messages.wire(messages.text(0, " word")),
    "google": gemini.wire(gemini.response(gemini.text(" word"))),
}
BEGINNINGS = {
    "anthropic": messages.wire(messages.START, messages.block(0, type="text", text="")) + WORDS["anthropic"],
    "google": WORDS["google"],
}
ENDINGS = {
    "anthropic": messages.wire(messages.end(0), messages.stop(), messages.STOP),
    "google": gemini.wire(gemini.response(finish="STOP")),
}
_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "tool_1", "arguments": '{"path": "/a"}'}}
AGENT = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Help."}]},
        {"role": "user", "content": [{"type": "text", "text": PROMPT}, {"type": "text", "text": "Look first."}]},
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a line"},
    ],
    "tools": [
        {"type": "function", "function": {"name": f"tool_{n}", "description": "Reads.", "parameters": _SCHEMA}}
        for n in range(8)
    ],
    "tool_choice": "auto",
}
PROVIDERS = pytest.mark.parametrize("provider", ["anthropic", "google"])


@PROVIDERS
@pytest.mark.parametrize(("kind", "asked"), [("request", {}), ("request with tools", AGENT)])
async def test_a_translated_request_costs_no_more_calls_than_recorded(
    start: Starter, provider: str, kind: str, asked: dict[str, Any]
) -> None:
    async with ScriptedUpstream(lambda _: json_answer(ANSWERS[provider])) as upstream:
        gateway = await start({"main": upstream.url()}, main=provider, **UNLIMITED)
        async with Caller(gateway.port, gateway.key) as caller:
            for _ in range(5):
                await caller.ask(body(**asked), until=b'"system_fingerprint":null}')
            with counted() as calls:
                for _ in range(TIMES):
                    await caller.ask(body(**asked), until=b'"system_fingerprint":null}')
    assert_no_dearer(f"{kind} to {provider}", calls, RECORDED)


@PROVIDERS
@pytest.mark.parametrize("at_once", [1, 10])
async def test_a_translated_chunk_costs_no_more_calls_than_recorded(
    start: Starter, provider: str, at_once: int
) -> None:
    go = [asyncio.Event() for _ in range(TIMES)]
    said = chunk(WORDS[provider] * at_once)

    def script(_: Received) -> Script:
        paced = [step for each in go for step in (Until(each), Send(said))]
        return [Send(SSE_HEAD + chunk(BEGINNINGS[provider])), *paced, Send(chunk(ENDINGS[provider]) + LAST_CHUNK)]

    async with ScriptedUpstream(script) as upstream:
        gateway = await start({"main": upstream.url()}, main=provider, **UNLIMITED)
        async with Caller(gateway.port, gateway.key) as caller:
            await caller.ask(body(stream=True), until=b'"content":" word"')
            with counted() as calls:
                for each in go:
                    each.set()
                    for _ in range(at_once):
                        await caller.read(b'"content":" word"')
            await caller.read(b"[DONE]")
    of_them = f"read of {at_once} chunks" if at_once > 1 else "chunk"
    assert_no_dearer(f"{of_them} of {provider}", calls, RECORDED)
