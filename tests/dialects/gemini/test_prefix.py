"""T12: what was sent for the start of a conversation is the start of what is sent for all of it.

A start is a conversation as it was when the model was asked: up to a message of the assistant's, ending with somebody
else's.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini.send import FLASH_2_0, FLASH_2_5, FLASH_3, PICTURE, encode, encode_bytes, function
from tests.recorded import chat_interactions

TEXTS = st.sampled_from(["Hi", "", " ", "é\u2028", "x" * 50])
TOOLS = [function("get_weather"), function("get_time", None), function("x" * 140)]


@st.composite
def user(draw: st.DrawFn) -> dict[str, Any]:
    texts = draw(st.lists(TEXTS, max_size=3))
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


@st.composite
def system(draw: st.DrawFn) -> dict[str, Any]:
    return {"role": draw(st.sampled_from(["system", "developer"])), "content": draw(TEXTS)}


@st.composite
def assistant(draw: st.DrawFn) -> list[dict[str, Any]]:
    """With the results of its calls, in any order, and others between them."""
    names = st.sampled_from(["get_weather", "get/time", "get_time", "x" * 140])
    ids = draw(st.lists(st.sampled_from(["a", "b.1", "call_gm_0", "c:2"]), max_size=3, unique=True))
    calls = [
        {"id": each, "type": "function", "function": {"name": draw(names), "arguments": '{"b": 1, "a": 2}'}}
        for each in ids
    ]
    details = [
        {
            "type": "reasoning.encrypted",
            "data": draw(st.sampled_from(["S1", "S2"])),
            "format": draw(st.sampled_from(["google-gemini-v1", "openai-responses-v1"])),
            "id": draw(st.sampled_from([None, *ids])),
            "index": index,
        }
        for index in range(draw(st.integers(0, 2)))
    ]
    text = draw(TEXTS) if calls else "So"
    message: dict[str, Any] = {"role": "assistant", "content": text, "reasoning_details": details}
    results: list[dict[str, Any]] = []
    for each in draw(st.permutations(ids)):
        content = draw(st.sampled_from(["ok", '{"a": 1}', [{"type": "text", "text": "see"}, PICTURE]]))
        results.append({"role": "tool", "tool_call_id": each, "content": content})
        results += draw(st.lists(system(), max_size=1))
    return [message | ({"tool_calls": calls} if calls else {}), *results]


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    messages = draw(st.lists(system(), max_size=2))
    for _ in range(draw(st.integers(1, 5))):
        messages += draw(st.lists(st.one_of(user(), system()), max_size=3))
        messages += draw(assistant())
    return [*messages, {"role": "user", "content": "And?"}]


def said(messages: list[dict[str, Any]], model: str) -> list[str] | None:
    """Each part with its role. None where there is nothing to send."""
    try:
        body = json.loads(encode(model, messages=messages, tools=TOOLS).body)
    except InvalidRequest:
        return None
    return [json.dumps((content["role"], part)) for content in body["contents"] for part in content["parts"]]


@pytest.mark.parametrize("model", [FLASH_2_0, FLASH_2_5, FLASH_3])
@settings(max_examples=60)
@given(conversation=conversations())
def test_t12_a_longer_conversation_begins_like_the_shorter_one(model: str, conversation: list[dict[str, Any]]) -> None:
    whole = said(conversation, model)
    assert whole is not None
    for index, message in enumerate(conversation):
        if message["role"] == "assistant" and index and conversation[index - 1]["role"] != "assistant":
            start = said(conversation[:index], model)
            assert start is None or start == whole[: len(start)]


@pytest.mark.parametrize("model", [FLASH_2_0, FLASH_2_5, FLASH_3])
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
    contents = body["contents"]
    assert (contents[0]["role"], contents[-1]["role"]) == ("user", "user")
    open_calls: list[str] = []
    for before, content in zip([None, *contents], contents, strict=False):
        kinds = {
            next(iter(part.keys() - {"thoughtSignature", "thought", "mediaResolution"})) for part in content["parts"]
        }
        assert kinds
        assert "functionResponse" not in kinds or kinds == {"functionResponse"}
        responses = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        assert responses == open_calls
        calls = [part for part in content["parts"] if "functionCall" in part]
        open_calls = [part["functionCall"]["name"] for part in calls]
        assert not calls or (before is not None and before["role"] == "user")
        assert not calls or model != FLASH_3 or "thoughtSignature" in calls[0]
        assert all("id" in part["functionCall"] for part in calls) == (model == FLASH_3) or not calls
    assert not open_calls
    functions = [each for tool in body.get("tools", ()) for each in tool.get("functionDeclarations", ())]
    assert bool(functions) == ("functionCallingConfig" in body.get("toolConfig", {}))
    assert all(not {"parameters", "parametersJsonSchema"} <= each.keys() for each in functions)
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    assert not {"thinkingBudget", "thinkingLevel"} <= thinking.keys()
