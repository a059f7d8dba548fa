"""Every recorded answer of Anthropic's Messages API, told to a Chat caller by the whole gateway over real sockets.

What the caller gets is held against what was recorded, read here by other code than the gateway's: the text, the tool
calls with their arguments, the thinking, the usage, and whether it went well at all.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import Interaction, interactions
from tests.replay.test_recorded_chat import Replay
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.upstream import ScriptedUpstream

RECORDED = interactions("anthropic", "messages")


@dataclass(slots=True)
class Said:
    """One answer, whatever its format. calls: (name, arguments as data). tokens: input, output, of it cached."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    stop: str | None = None
    tokens: tuple[int, int, int] | None = None


def recorded(interaction: Interaction) -> Said:
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    stop = None
    for event in events(interaction):
        match event["type"]:
            case "message_start":
                usage |= known(event["message"]["usage"])
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                add(blocks[event["index"]], event["delta"])
            case "message_delta":
                usage |= known(event.get("usage") or {})
                stop = event["delta"].get("stop_reason")
    return said(list(blocks.values()), usage, stop)


def events(interaction: Interaction) -> Iterator[dict[str, Any]]:
    """Those of the stream; a whole answer as the stream that would say it."""
    if interaction.is_stream:
        for line in interaction.answer.split("\n"):
            if line.startswith("data:"):
                yield json.loads(line[5:])
        return
    answer = interaction.answer
    yield {"type": "message_start", "message": answer}
    for index, block in enumerate(answer["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": block}
    yield {"type": "message_delta", "delta": {"stop_reason": answer["stop_reason"]}}


def add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]


def known(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usage.items() if value is not None}


def said(blocks: list[dict[str, Any]], usage: dict[str, Any], stop: str | None) -> Said:
    cached = usage.get("cache_read_input_tokens", 0)
    whole = usage["input_tokens"] + cached + usage.get("cache_creation_input_tokens", 0)
    return Said(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        thinking="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        calls=[
            (block["name"], json.loads(block["json"]) if block["json"] else block["input"])
            for block in blocks
            if block["type"] == "tool_use"
        ],
        stop=stop,
        tokens=(whole, usage["output_tokens"], cached),
    )


def told(body: bytes, *, stream: bool) -> Said:
    """What a Chat caller reads."""
    chunks = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: {")]
    result, calls = Said(), {}
    for chunk in chunks if stream else [json.loads(body)]:
        for choice in chunk["choices"]:
            message = choice["delta"] if stream else choice["message"]
            result.text += message.get("content") or ""
            result.thinking += message.get("reasoning_content") or ""
            result.stop = choice["finish_reason"] or result.stop
            for position, call in enumerate(message.get("tool_calls") or ()):
                name, arguments = calls.get(call.get("index", position), ("", ""))
                function = call["function"]
                calls[call.get("index", position)] = (
                    name + (function.get("name") or ""),
                    arguments + (function.get("arguments") or ""),
                )
        if usage := chunk.get("usage"):
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            result.tokens = (usage["prompt_tokens"], usage["completion_tokens"], cached)
    result.calls = [(name, json.loads(arguments)) for name, arguments in calls.values()]
    return result


STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "stop",
    "model_context_window_exceeded": "length",
}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[tuple[Replay, RunningGateway]]:
    now = Replay()
    async with ScriptedUpstream(now.script) as upstream:
        config = {
            "providers": {"anthropic": {"base_url": upstream.url(), "api_key": "k"}},
            "routes": [{"match": "claude", "targets": [{"provider": "anthropic", "model": "claude-sonnet-4-5"}]}],
            "defaults": {"retry": {"attempts": 1}},
            "limits": {"requests": "1M/min", "tokens": "1000M/min"},
        }
        async with running_gateway(config, tmp_path) as running:
            yield now, running


async def test_every_answer_is_told_in_full(gateway: tuple[Replay, RunningGateway]) -> None:
    now, running = gateway
    wrong = []
    for interaction in (each for each in RECORDED if each.status < 400):
        now.interaction, stream = interaction, interaction.is_stream
        body: dict[str, Any] = {"model": "claude", "messages": [{"role": "user", "content": "Hello"}]}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        async with running.post(json=body) as response:
            answer = await response.read()
        if "error_in_stream" in interaction.features:
            continue
        wanted = recorded(interaction)
        wanted.stop = STOPS[wanted.stop] if wanted.stop is not None else None
        got = told(answer, stream=stream)
        if response.status != 200 or got != wanted:
            wrong.append(f"{interaction}: {response.status} {got} instead of {wanted}")
    assert not wrong


STATUS = {400: {400}, 401: {502}, 403: {502}, 404: {502}, 429: {429}, 500: {502}, 529: {503}}


@pytest.mark.parametrize("interaction", [each for each in RECORDED if each.status >= 400], ids=repr)
async def test_every_error_is_told_in_the_shape_of_chat(
    gateway: tuple[Replay, RunningGateway], interaction: Interaction
) -> None:
    now, running = gateway
    now.interaction = interaction
    async with running.post(json={"model": "claude", "messages": [{"role": "user", "content": "Hello"}]}) as response:
        error = (await response.json())["error"]
    assert response.status in STATUS[interaction.status]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
