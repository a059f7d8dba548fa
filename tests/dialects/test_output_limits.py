"""How long an answer may get: told in each format's words, where it must be told at all, and never beyond the model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.dialects.chat import capabilities as chat
from gaiarouter.dialects.chat.decode import decode_request as from_chat
from gaiarouter.dialects.chat.target import ChatTarget
from gaiarouter.dialects.messages import capabilities as messages
from gaiarouter.dialects.messages.decode import decode_request as from_messages
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.providers import PROFILES

HI: Any = [{"role": "user", "content": "Hi"}]
CLAUDE = "claude-3-haiku-20240307"
LONGEST = messages.CapabilityTable().of(CLAUDE).max_output


def for_messages(**members: Any) -> Any:
    request = from_chat(json.dumps({"model": "m", "messages": HI} | members).encode())
    prepared = MessagesTarget(messages.CapabilityTable()).prepare(request, model=CLAUDE, strict=False)
    return json.loads(prepared.body), [loss.path for loss in prepared.losses]


def test_t19_a_limit_is_always_told_where_it_must_be() -> None:
    body, losses = for_messages()
    assert 0 < body["max_tokens"] <= (LONGEST or 0)
    assert losses == []


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_t19_a_limit_beyond_the_model_is_lowered_and_said_to_be(name: str) -> None:
    body, losses = for_messages(**{name: 1_000_000})
    assert body["max_tokens"] == LONGEST == 4096
    assert losses == [name]
    assert for_messages(**{name: 100})[0]["max_tokens"] == 100


@pytest.mark.parametrize(("kind", "name"), [("openai", "max_completion_tokens"), ("vllm", "max_tokens")])
def test_t19_each_server_reads_its_own_name_of_the_limit(kind: str, name: str) -> None:
    request = from_messages(json.dumps({"model": "m", "max_tokens": 64, "messages": HI}).encode())
    target = ChatTarget(PROFILES[kind].chat, chat.CapabilityTable())
    body = json.loads(target.prepare(request, model="gpt-5", strict=False).body)
    assert {each: body.get(each) for each in ("max_tokens", "max_completion_tokens") if each in body} == {name: 64}
