"""Random conversations, written in each format and read again, are what they were: but for what was told as lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from gaiarouter.canonical.request import CanonicalRequest, Sampling
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.chat.capabilities import CapabilityTable as ChatTable
from gaiarouter.dialects.chat.decode import decode_request as read_chat
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.gemini.capabilities import CapabilityTable as GeminiTable
from gaiarouter.dialects.gemini.decode import decode_request as read_gemini
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.messages.capabilities import CapabilityTable as MessagesTable
from gaiarouter.dialects.messages.decode import decode_request as read_messages
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.responses.decode import decode_request as read_responses
from gaiarouter.dialects.responses.target import ResponsesTarget
from gaiarouter.dialects.translate import Target
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers import PROFILES
from tests.dialects.conversations import View, requests


@dataclass(frozen=True)
class Format:
    """own: whose thinking it can carry. losses: what of a conversation it cannot say, whatever it is told; of settings
    the encoder tells. refused: the setting that the format has not and no answer is right without."""

    target: Target
    model: str
    read: Callable[[bytes, bool], CanonicalRequest]
    own: str
    losses: frozenset[str] = field(default_factory=frozenset)
    refused: str | None = None


def gemini(body: bytes, stream: bool) -> CanonicalRequest:
    return read_gemini(body, Envelope(model="m", stream=stream))


FORMATS = {
    "chat": Format(
        ChatTarget(PROFILES["openrouter"].chat, ChatTable()),
        "m",
        lambda body, _: read_chat(body),
        "anthropic-claude-v1",
        frozenset({"is_error"}),
    ),
    "messages": Format(
        MessagesTarget(MessagesTable()), "claude-opus-4-5", lambda body, _: read_messages(body), "anthropic-claude-v1"
    ),
    "gemini": Format(GeminiTarget(GeminiTable()), "gemini-3-pro", gemini, "google-gemini-v1", frozenset({"thinking"})),
    "responses": Format(
        ResponsesTarget(),
        "gpt-4.1",
        lambda body, _: read_responses(body),
        "openai-responses-v1",
        frozenset({"is_error"}),
        refused="sampling.stop",
    ),
}


def comparable(said: list[Any], losses: frozenset[str]) -> list[Any]:
    kept: list[Any] = []
    for role, kind, value in said:
        if kind in losses:
            continue
        if kind == "result" and "is_error" in losses:
            number, content, is_error = value
            told = content if not is_error or content.startswith("Error") else f"Error: {content}"
            kept.append([role, kind, (number, told)])
        elif kept and kind == "text" and kept[-1][:2] == [role, "text"]:
            kept[-1] = [role, kind, kept[-1][2] + value]
        else:
            kept.append([role, kind, value])
    return in_order(kept)


def in_order(said: list[Any]) -> list[Any]:
    """Results in a row in the order of their calls, which is nobody's to keep."""
    ordered: list[Any] = []
    for is_result, group in groupby(said, key=lambda each: each[1] == "result"):
        row = list(group)
        ordered += sorted(row, key=lambda each: each[2][0]) if is_result else row
    return ordered


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_conversation_survives_but_for_the_losses_that_are_told(name: str, data: st.DataObject) -> None:
    format_ = FORMATS[name]
    request = data.draw(requests(format_.own))
    if format_.refused in request.paths:
        with pytest.raises(InvalidRequest, match=format_.refused):
            format_.target.prepare(request, model=format_.model, strict=False)
        return
    prepared: Any = format_.target.prepare(request, model=format_.model, strict=False)
    again = format_.read(prepared.body, request.stream)
    encoded = prepared if name == "gemini" else prepared._encoded
    before, after = View(request, {}), View(again, encoded.plan.tools)
    assert comparable(after.conversation(), format_.losses) == comparable(before.conversation(), format_.losses)
    told = {loss.path for loss in prepared.losses}
    wished, got = before.settings(), after.settings()
    for slot in wished:
        if wished[slot] is not None:
            assert got[slot] == wished[slot] or slot in told, slot


def pieces(name: str, body: bytes) -> list[Any]:
    """What the model reads of the conversation, in its order."""
    sent = json.loads(body)
    match name:
        case "messages":
            return [(message["role"], block) for message in sent["messages"] for block in message["content"]]
        case "gemini":
            return [(content["role"], part) for content in sent["contents"] for part in content["parts"]]
        case "chat":
            return list(sent["messages"])
        case _:
            return list(sent["input"])


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_t12_every_start_of_a_conversation_is_sent_as_it_was_sent_alone(name: str, data: st.DataObject) -> None:
    format_ = FORMATS[name]
    request = structs.replace(data.draw(requests(format_.own)), sampling=Sampling(), paths={})

    def sent(count: int) -> list[Any]:
        start = structs.replace(request, turns=request.turns[:count])
        return pieces(name, format_.target.prepare(start, model=format_.model, strict=False).body)

    whole = sent(len(request.turns))
    for index, turn in enumerate(request.turns):
        if turn.role == "assistant":
            start = sent(index)
            assert start == whole[: len(start)]
