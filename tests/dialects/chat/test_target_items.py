"""Callers of Responses say each thing that a model did in an item of its own; a Chat server wants one message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.chat.capabilities import CapabilityTable
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.responses.decode import decode_request
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers import PROFILES

USER = {"role": "user", "content": "Hi"}
OPENAI, DEEPSEEK, OPENROUTER = (PROFILES[name].chat for name in ("openai", "deepseek", "openrouter"))


def call(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def result(call_id: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": call_id.upper()}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "output_text", "text": text}]}


def thought(text: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}


def sent(*items: Any, profile: ChatProfile = OPENAI) -> list[Any]:
    request = decode_request(json.dumps({"model": "x", "input": [USER, *items]}).encode())
    body = ChatTarget(profile, CapabilityTable()).prepare(request, model="m", strict=False).body
    messages: list[Any] = json.loads(body)["messages"]
    return messages[1:]


def called(*ids: str) -> list[Any]:
    return [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]


A, B = ({"role": "tool", "tool_call_id": each, "content": each.upper()} for each in "ab")


def test_parallel_calls_are_of_one_message() -> None:
    assistant = {"role": "assistant", "content": None, "tool_calls": called("a", "b")}
    assert sent(call("a"), call("b"), result("a"), result("b")) == [assistant, A, B]


def test_a_text_stands_beside_the_calls_that_follow_it() -> None:
    assistant = {"role": "assistant", "content": "Look", "tool_calls": called("a")}
    assert sent(said("Look"), call("a"), result("a"), USER) == [assistant, A, USER]


def test_t60_thinking_goes_back_in_the_message_of_its_calls() -> None:
    (assistant, *_) = sent(thought("So"), call("a"), call("b"), result("a"), result("b"), profile=DEEPSEEK)
    assert assistant["reasoning_content"] == "So"
    assert assistant["tool_calls"] == called("a", "b")


def test_texts_of_two_messages_stay_two() -> None:
    assert sent(said("One"), said("Two"), USER) == [
        {"role": "assistant", "content": "One"},
        {"role": "assistant", "content": "Two"},
        USER,
    ]


def test_rounds_of_calls_stay_apart() -> None:
    assert [message["role"] for message in sent(call("a"), result("a"), call("b"), result("b"))] == [
        *("assistant", "tool", "assistant", "tool"),
    ]


def test_a_call_without_a_result_is_still_refused_by_its_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(call("a"), call("b"), result("a"), USER)
    assert caught.value.param == "input[2]"
