"""T12: what was sent for the start of a conversation is the start of what is sent for all of it.

A start is a conversation as it was when the model was asked: up to a message of the assistant's, ending with somebody
else's. Cache markers may move. An answer that says nothing is left out of the generated conversations: the API takes no
empty message, so that the instruction before it loses its legal place.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import CLOCK, HAIKU_4_5, OPUS_4_8, OPUS_5_5, WEATHER, encode, encode_bytes
from tests.recorded import chat_interactions

TEXTS = st.sampled_from(["Hi", "", " ", "é\u2028", "x" * 50])
MARK = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])


@st.composite
def user(draw: st.DrawFn) -> dict[str, Any]:
    texts = draw(st.lists(TEXTS, max_size=3))
    return {"role": "user", "content": [{"type": "text", "text": text} | draw(MARK) for text in texts]}


@st.composite
def system(draw: st.DrawFn) -> dict[str, Any]:
    return {"role": draw(st.sampled_from(["system", "developer"])), "content": draw(TEXTS)}


@st.composite
def assistant(draw: st.DrawFn) -> list[dict[str, Any]]:
    """With the results of its calls, in any order."""
    names = st.sampled_from(["get_weather", "get.time", "get_time", "x" * 140])
    ids = draw(st.lists(st.sampled_from(["a", "b.1", "b_1", "call_9", "c:2"]), max_size=3, unique=True))
    calls = [
        {"id": each, "type": "function", "function": {"name": draw(names), "arguments": '{"b": 1, "a": 2}'}}
        for each in ids
    ]
    vendor = draw(st.sampled_from(["anthropic-claude-v1", "openai-responses-v1"]))
    details = [
        {"type": "reasoning.text", "text": draw(TEXTS), "signature": "S", "format": vendor, "index": index}
        for index in range(draw(st.integers(0, 2)))
    ]
    text = draw(TEXTS) if calls else "So"
    message: dict[str, Any] = {"role": "assistant", "content": text, "reasoning_details": details}
    results = [{"role": "tool", "tool_call_id": each, "content": draw(TEXTS)} for each in draw(st.permutations(ids))]
    return [message | ({"tool_calls": calls} if calls else {}), *results]


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    messages = draw(st.lists(system(), max_size=2))
    for _ in range(draw(st.integers(1, 5))):
        messages += draw(st.lists(st.one_of(user(), system()), max_size=3))
        messages += draw(assistant())
    return [*messages, {"role": "user", "content": "And?"}]


def said(messages: list[dict[str, Any]], model: str) -> list[str] | None:
    """Each block with its role, markers taken off. None where there is nothing to send."""
    try:
        body = json.loads(encode(model, messages=messages, tools=[WEATHER, CLOCK]).body)
    except InvalidRequest:
        return None
    blocks = [(message["role"], block) for message in body["messages"] for block in message["content"]]
    for _, block in blocks:
        block.pop("cache_control", None)
    return [json.dumps(block) for block in blocks]


@pytest.mark.parametrize("model", [HAIKU_4_5, OPUS_4_8, OPUS_5_5])
@settings(max_examples=60)
@given(conversation=conversations())
def test_t12_a_longer_conversation_begins_like_the_shorter_one(model: str, conversation: list[dict[str, Any]]) -> None:
    whole = said(conversation, model)
    assert whole is not None
    for index, message in enumerate(conversation):
        if message["role"] == "assistant" and index and conversation[index - 1]["role"] != "assistant":
            start = said(conversation[:index], model)
            assert start is None or start == whole[: len(start)]


@pytest.mark.parametrize("model", [HAIKU_4_5, OPUS_5_5])
def test_every_recorded_chat_request_is_sent_as_the_api_accepts_it_or_refused_by_a_path(model: str) -> None:
    asked = [each.request for each in chat_interactions() if isinstance(each.request, dict)]
    bodies = [body for request in asked if "messages" in request and (body := body_of(request, model)) is not None]
    assert len(bodies) > 500
    for body in bodies:
        check(body, model)


def body_of(request: dict[str, Any], model: str) -> dict[str, Any] | None:
    try:
        body: dict[str, Any] = json.loads(encode_bytes(json.dumps(request).encode(), model).body)
    except InvalidRequest as error:
        if not error.param:
            raise
        return None
    return body


def check(body: dict[str, Any], model: str) -> None:
    """What the API answers 400 to."""
    messages = body["messages"]
    assert messages[0]["role"] == "user"
    open_calls: set[str] = set()
    for before, message in zip([None, *messages], messages, strict=False):
        assert message["content"]
        assert before is None or before["role"] != message["role"]
        kinds = [block["type"] for block in message["content"]]
        results = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        assert set(results) == open_calls
        open_calls = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
        assert all(block["text"].strip() for block in message["content"] if block["type"] == "text")
    assert not open_calls
    assert body["max_tokens"] >= 1
    assert body.get("thinking", {}).get("budget_tokens", 0) < body["max_tokens"]
    assert ("tool_choice" in body) <= ("tools" in body)
    if model == OPUS_5_5:
        assert not body.keys() & {"temperature", "top_p", "top_k"}
        assert messages[-1]["role"] != "assistant"
        assert body.get("tool_choice", {}).get("type") in (None, "auto", "none")
