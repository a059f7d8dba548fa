"""Every recorded answer of Google's Gemini API, told to a Chat caller by the whole gateway over real sockets.

What the caller gets is held against what was recorded, read here by other code than the gateway's: the text, the
function calls with their arguments, the thoughts, the token counts, and whether it went well at all.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import Interaction, interactions
from tests.replay.test_recorded_chat import Replay
from tests.replay.test_recorded_messages import Said, told
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.upstream import ScriptedUpstream

RECORDED = interactions("google", "generate")
BROKEN = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "TOO_MANY_TOOL_CALLS"}
"""Reasons that are no end of an answer: the caller is told of an error."""


def events(interaction: Interaction) -> list[dict[str, Any]]:
    answer = interaction.answer
    if isinstance(answer, dict):
        return [answer]
    if answer.lstrip().startswith("["):
        return json.loads(answer)
    return [json.loads(line[5:]) for line in answer.split("\n") if line.startswith("data:")]


def recorded(interaction: Interaction) -> Said:
    found, counts = Said(), {}
    for event in events(interaction):
        counts |= {name: value for name, value in (event.get("usageMetadata") or {}).items() if value is not None}
        for candidate in (event.get("candidates") or [])[:1]:
            for part in (candidate.get("content") or {}).get("parts") or []:
                add(found, part)
            found.stop = candidate.get("finishReason") or found.stop
    read = counts.get("promptTokenCount", 0) + counts.get("toolUsePromptTokenCount", 0)
    wrote = counts.get("candidatesTokenCount", 0) + counts.get("thoughtsTokenCount", 0)
    found.tokens = (read, wrote, counts.get("cachedContentTokenCount", 0))
    return found


def add(found: Said, part: dict[str, Any]) -> None:
    if "functionCall" in part:
        found.calls.append((part["functionCall"]["name"], part["functionCall"].get("args") or {}))
    elif part.get("thought"):
        found.thinking += part.get("text", "")
    else:
        found.text += part.get("text", "")


def is_plain(interaction: Interaction) -> bool:
    """Said in words and calls alone: what else there is (code that was run, pictures) Chat tells in ways of its own."""
    plain = {"text", "thought", "thoughtSignature", "functionCall"}
    candidates = [candidate for event in events(interaction) for candidate in event.get("candidates") or []]
    parts = [part for c in candidates for part in (c.get("content") or {}).get("parts") or []]
    reasons = {candidate.get("finishReason") for candidate in candidates}
    return (
        bool(candidates)
        and len({candidate.get("index", 0) for candidate in candidates}) == 1
        and all(set(part) <= plain for part in parts)
        and all(isinstance(reason, str | None) for reason in reasons)
        and not reasons & BROKEN
    )


def stop_of(said: Said) -> str:
    if said.stop == "STOP":
        return "tool_calls" if said.calls else "stop"
    return {"MAX_TOKENS": "length", "SAFETY": "content_filter"}[said.stop or ""]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[tuple[Replay, RunningGateway]]:
    now = Replay()
    async with ScriptedUpstream(now.script) as upstream:
        config = {
            "providers": {"google": {"base_url": upstream.url(), "api_key": "k"}},
            "routes": [{"match": "gemini", "targets": [{"provider": "google", "model": "gemini-2.5-flash"}]}],
            "defaults": {"retry": {"attempts": 1}},
            "limits": {"requests": "1M/min", "tokens": "1000M/min"},
        }
        async with running_gateway(config, tmp_path) as running:
            yield now, running


async def test_every_answer_is_told_in_full(gateway: tuple[Replay, RunningGateway]) -> None:
    now, running = gateway
    wrong, seen = [], 0
    for interaction in (each for each in RECORDED if each.status < 400 and is_plain(each)):
        now.interaction, stream = interaction, interaction.is_stream
        body: dict[str, Any] = {"model": "gemini", "messages": [{"role": "user", "content": "Hello"}]}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        async with running.post(json=body) as response:
            answer = await response.read()
        wanted = recorded(interaction)
        wanted.stop, seen = stop_of(wanted), seen + 1
        if response.status != 200 or told(answer, stream=stream) != wanted:
            wrong.append(f"{interaction}: {response.status} {answer[:300]!r} instead of {wanted}")
    assert not wrong
    assert seen > 240


STATUS = {400: {400, 502}, 403: {502}, 404: {502}, 429: {429, 503}}
"""A key that Google does not know is a 400 there and the operator's matter here."""


@pytest.mark.parametrize("interaction", [each for each in RECORDED if each.status >= 400], ids=repr)
async def test_every_error_is_told_in_the_shape_of_chat(
    gateway: tuple[Replay, RunningGateway], interaction: Interaction
) -> None:
    now, running = gateway
    now.interaction = interaction
    async with running.post(json={"model": "gemini", "messages": [{"role": "user", "content": "Hello"}]}) as response:
        error = (await response.json())["error"]
    assert response.status in STATUS[interaction.status]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
