"""What each provider that speaks Chat wants said in its own way, row by row: one request of Anthropic's format, as it
reaches each of them. The words are from the vendors' documentation and from what they refused in recorded traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.config.settings import Provider
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.gemini.decode import decode_request as of_gemini
from gaiarouter.dialects.messages.decode import decode_request
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers import PROFILES
from gaiarouter.providers.targets import compile_targets

ABSENT: Any = None
CALL = {"type": "tool_use", "id": "toolu_01AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": CALL["id"], "content": "ok"}
THOUGHT = {"type": "thinking", "thinking": "So", "signature": ""}
ASKED: dict[str, Any] = {
    "model": "x",
    "max_tokens": 9000,
    "stream": True,
    "system": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [RESULT, {"type": "text", "text": "And?"}]},
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "metadata": {"user_id": "u-1"},
    "top_k": 5,
    "stop_sequences": ["a", "b", "c", "d", "e"],
    "thinking": {"type": "enabled", "budget_tokens": 4000},
}
USAGE = {"include_usage": True}
FIVE = ["a", "b", "c", "d", "e"]
ROWS: dict[str, dict[str, Any]] = {
    "openai": {
        "max_completion_tokens": 9000,
        "max_tokens": ABSENT,
        "stream_options": USAGE,
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "safety_identifier": "u-1",
        "user": ABSENT,
        "top_k": ABSENT,
        "stop": FIVE[:4],
        "reasoning_effort": "medium",
    },
    "openrouter": {
        "max_tokens": 9000,
        "stream_options": USAGE,
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "user": "u-1",
        "top_k": 5,
        "stop": FIVE,
        "reasoning": {"max_tokens": 4000},
        "reasoning_effort": ABSENT,
    },
    "groq": {
        "max_completion_tokens": 9000,
        "max_tokens": ABSENT,
        "stream_options": USAGE,
        "parallel_tool_calls": False,
        "top_k": ABSENT,
        "reasoning_effort": "medium",
    },
    "mistral": {
        "max_tokens": 9000,
        "stream_options": ABSENT,
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "user": ABSENT,
        "safety_identifier": ABSENT,
        "top_k": ABSENT,
    },
    "deepseek": {
        "max_tokens": 9000,
        "stream_options": USAGE,
        "parallel_tool_calls": ABSENT,
        "thinking": {"type": "enabled"},
        "reasoning_effort": ABSENT,
        "top_k": ABSENT,
    },
    "vllm": {"max_tokens": 9000, "stream_options": USAGE, "parallel_tool_calls": ABSENT, "top_k": 5},
    "ollama": {"max_tokens": 9000, "stream_options": USAGE, "tool_choice": "auto"},
}
ROWS["perplexity"] = {"max_tokens": 9000, "stream_options": ABSENT}
ROWS["azure"] = ROWS["openai"]
ROWS["sglang"] = ROWS["llamacpp"] = ROWS["vllm"]
ANY_SERVER = {"max_tokens": 9000, "stream_options": USAGE, "parallel_tool_calls": ABSENT, "tool_choice": "required"}
"""What is said to a server that nobody has told us of; what it refuses is left out then (dialects/test_lessons.py)."""
ROWS |= {
    name: ANY_SERVER
    for name, profile in PROFILES.items()
    if "chat" in profile.speaks and name not in ROWS and name != "echo"
}


def sent(kind: str, model: str = "m", **members: Any) -> dict[str, Any]:
    target = compile_targets(Provider(name="p", kind=kind, base_url="http://p.example/v1"), PROFILES[kind])["chat"]
    request = decode_request(json.dumps(ASKED | members).encode())
    body: dict[str, Any] = json.loads(target.prepare(request, model=model, strict=False).body)
    return body


def test_every_provider_that_speaks_chat_has_its_row() -> None:
    assert set(ROWS) == {name for name, profile in PROFILES.items() if "chat" in profile.speaks} - {"echo"}


@pytest.mark.parametrize("kind", ROWS)
def test_settings_are_called_as_the_provider_calls_them(kind: str) -> None:
    body = sent(kind)
    assert {name: body.get(name) for name in ROWS[kind]} == ROWS[kind]


PLAIN = ("system", "user", "assistant", "tool", "user")
ROLES = {
    "mistral": (*PLAIN[:4], "assistant", "user"),
    **dict.fromkeys(("openai", "openrouter", "deepseek", "vllm", "ollama"), PLAIN),
}


@pytest.mark.parametrize("kind", ROLES)
def test_turns_follow_one_another_as_the_provider_wants_them(kind: str) -> None:
    assert tuple(message["role"] for message in sent(kind)["messages"] if message["content"] != "B") == ROLES[kind]


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp"])
def test_a_template_of_the_models_own_gets_one_system_text(kind: str) -> None:
    assert sent(kind)["messages"][0] == {"role": "system", "content": "A\n\nB"}


@pytest.mark.parametrize(("kind", "longest"), [("openai", 40), ("azure", 40), ("mistral", 9), ("openrouter", None)])
def test_ids_of_calls_are_as_long_as_they_may_be(kind: str, longest: int | None) -> None:
    messages = sent(kind)["messages"]
    call = next(message for message in messages if "tool_calls" in message)["tool_calls"][0]["id"]
    assert next(message for message in messages if message["role"] == "tool")["tool_call_id"] == call
    if longest is None:
        assert call == CALL["id"]
    else:
        assert len(call) <= longest
        assert kind != "mistral" or (len(call) == longest and call.isalnum())


@pytest.mark.parametrize(
    ("kind", "echoed"),
    [("deepseek", {"reasoning_content": "So"}), ("openai", {}), ("groq", {}), ("ollama", {}), ("vllm", {})],
)
def test_t60_thinking_goes_back_only_where_it_must(kind: str, echoed: dict[str, str]) -> None:
    own = [{"role": "assistant", "content": [{**THOUGHT, "signature": OTHERS}, CALL]}]
    messages = sent(kind, messages=[ASKED["messages"][0], *own, ASKED["messages"][2]])["messages"]
    said = next(message for message in messages if message["role"] == "assistant")
    assert {name: value for name, value in said.items() if name.startswith("reasoning")} == echoed


OTHERS = "gw1.e30"
"""What the gateway signs for thinking that nobody has sealed."""


def test_deepseek_is_told_a_schema_in_words_because_it_enforces_none() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body = sent("deepseek", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert body["response_format"] == {"type": "json_object"}
    assert json.dumps(schema) in body["messages"][2]["content"]


@pytest.mark.parametrize("kind", ["groq"])
def test_several_answers_are_refused_where_there_is_one(kind: str) -> None:
    asked = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"candidateCount": 2}}
    request = of_gemini(json.dumps(asked).encode(), Envelope(model="m", stream=False))
    target = compile_targets(Provider(name="p", kind=kind), PROFILES[kind])["chat"]
    with pytest.raises(InvalidRequest) as caught:
        target.prepare(request, model="m", strict=False)
    assert caught.value.param == "generationConfig.candidateCount"


def test_mistral_is_not_shown_tools_that_it_must_not_call() -> None:
    assert "tools" not in sent("mistral", tool_choice={"type": "none"})
    assert sent("openai", tool_choice={"type": "none"})["tool_choice"] == "none"


@pytest.mark.parametrize("kind", ["groq", "together", "openrouter", "ollama"])
def test_open_models_of_openais_know_three_efforts(kind: str) -> None:
    body = sent(kind, "openai/gpt-oss-120b", thinking={"type": "disabled"})
    assert body.get("reasoning_effort") in ("low", None)
