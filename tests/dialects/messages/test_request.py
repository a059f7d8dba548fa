"""Every top-level field of a Chat request, as the Messages API gets it."""

from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import (
    CLOCK,
    HAIKU_4_5,
    OPUS_4_6,
    OPUS_4_7,
    OPUS_5_5,
    SONNET_4,
    USER,
    WEATHER,
    encode,
    losses,
    sent,
)

# what is sent, by members of a Chat request; None: the member is not sent
MEMBERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (HAIKU_4_5, {}, {"model": HAIKU_4_5, "max_tokens": 64000, "stream": None, "system": None, "tools": None}),
    (HAIKU_4_5, {"max_tokens": 5}, {"max_tokens": 5}),
    (HAIKU_4_5, {"max_tokens": 5, "max_completion_tokens": 7}, {"max_tokens": 7}),
    (HAIKU_4_5, {"max_tokens": 999_999}, {"max_tokens": 64000}),
    ("some-model", {}, {"max_tokens": 8192}),
    ("some-model", {"max_tokens": 999_999}, {"max_tokens": 999_999}),
    (HAIKU_4_5, {"stream": True, "stream_options": {"include_usage": True}}, {"stream": True, "stream_options": None}),
    (HAIKU_4_5, {"temperature": 0.5}, {"temperature": 0.5}),
    (HAIKU_4_5, {"temperature": 0}, {"temperature": 0}),
    (HAIKU_4_5, {"temperature": 1.7}, {"temperature": 1}),
    (HAIKU_4_5, {"temperature": 0.5, "top_p": 0.5}, {"temperature": 0.5, "top_p": None}),
    (SONNET_4, {"temperature": 0.5, "top_p": 0.5}, {"temperature": 0.5, "top_p": 0.5}),
    (HAIKU_4_5, {"top_p": 0.5, "top_k": 3}, {"top_p": 0.5, "top_k": 3}),
    (OPUS_4_7, {"temperature": 1, "top_p": 1, "top_k": 3}, {"temperature": None, "top_p": None, "top_k": None}),
    (HAIKU_4_5, {"seed": 1, "logit_bias": {"1": 1}, "min_p": 0.1}, {"seed": None, "logit_bias": None, "min_p": None}),
    (HAIKU_4_5, {"n": 1}, {"n": None}),
    (HAIKU_4_5, {"stop": "A"}, {"stop_sequences": ["A"]}),
    (HAIKU_4_5, {"stop": ["", "A", " \n"]}, {"stop_sequences": ["A"]}),
    (HAIKU_4_5, {"stop": []}, {"stop_sequences": None}),
    (HAIKU_4_5, {"user": "u-1"}, {"metadata": {"user_id": "u-1"}, "user": None}),
    (HAIKU_4_5, {"user": "u-1", "safety_identifier": "s-1"}, {"metadata": {"user_id": "s-1"}}),
    (HAIKU_4_5, {"metadata": {"user_id": "m-1", "x": "y"}}, {"metadata": {"user_id": "m-1"}}),
    (HAIKU_4_5, {"metadata": {"x": "y"}}, {"metadata": None}),
    (HAIKU_4_5, {"service_tier": "auto"}, {"service_tier": "auto"}),
    (HAIKU_4_5, {"service_tier": "default"}, {"service_tier": "standard_only"}),
    (HAIKU_4_5, {"service_tier": "priority"}, {"service_tier": "auto"}),
    (HAIKU_4_5, {"service_tier": "flex"}, {"service_tier": None}),
    (
        HAIKU_4_5,
        {"verbosity": "low", "prediction": {"type": "content", "content": "x"}},
        {"verbosity": None, "prediction": None},
    ),
    (HAIKU_4_5, {"modalities": ["text"]}, {"modalities": None}),
    (HAIKU_4_5, {"store": True, "prompt_cache_key": "k"}, {"store": None, "prompt_cache_key": None}),
    (HAIKU_4_5, {"speed": "fast", "inference_geo": "us"}, {"speed": "fast", "inference_geo": "us"}),
    (HAIKU_4_5, {"context_management": {"edits": []}}, {"context_management": {"edits": []}}),
    (HAIKU_4_5, {"made_up": 1}, {"made_up": None}),
]


@pytest.mark.parametrize(("model", "members", "expected"), MEMBERS)
def test_a_member_is_sent_as_the_api_takes_it(model: str, members: dict[str, Any], expected: dict[str, Any]) -> None:
    body = sent(model, **members)
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize("user", ["a.b@example.com", "+49 170 1234567", "(555) 123-4567"])
def test_a_user_that_can_be_reached_is_hashed(user: str) -> None:
    hashed = sent(user=user)["metadata"]["user_id"]
    assert len(hashed) == 64
    assert hashed == sent(user=user)["metadata"]["user_id"] != sent(user="x@example.com")["metadata"]["user_id"]


LOSSES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (HAIKU_4_5, {"temperature": 0.5, "max_tokens": 10, "user": "u", "n": 1, "stop": ["A"]}, {}),
    (HAIKU_4_5, {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": False}, {}),
    (HAIKU_4_5, {"seed": None, "top_logprobs": 0, "repetition_penalty": 1, "min_p": 0}, {}),
    (HAIKU_4_5, {"frequency_penalty": 0.5}, {"frequency_penalty": "drop"}),
    (HAIKU_4_5, {"presence_penalty": -1}, {"presence_penalty": "drop"}),
    (HAIKU_4_5, {"seed": 0}, {"seed": "drop"}),
    (HAIKU_4_5, {"logprobs": True, "top_logprobs": 3}, {"logprobs": "drop", "top_logprobs": "drop"}),
    (HAIKU_4_5, {"temperature": 1.5}, {"temperature": "adapt"}),
    (HAIKU_4_5, {"temperature": 0.5, "top_p": 0.5}, {"top_p": "drop"}),
    (OPUS_4_7, {"temperature": 1}, {"temperature": "drop"}),
    (HAIKU_4_5, {"max_completion_tokens": 999_999}, {"max_completion_tokens": "adapt"}),
    (HAIKU_4_5, {"stop": ["", "A"]}, {"stop": "adapt"}),
    (HAIKU_4_5, {"service_tier": "flex"}, {"service_tier": "drop"}),
    (HAIKU_4_5, {"service_tier": "priority"}, {"service_tier": "adapt"}),
    (HAIKU_4_5, {"metadata": {"x": "y"}}, {"metadata": "drop"}),
    (HAIKU_4_5, {"verbosity": "low"}, {"verbosity": "drop"}),
    (HAIKU_4_5, {"store": False, "prompt_cache_key": "k"}, {"store": "drop", "prompt_cache_key": "drop"}),
    (
        HAIKU_4_5,
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"stream_options.include_obfuscation": "drop"},
    ),
    (HAIKU_4_5, {"made_up": 1}, {"made_up": "drop"}),
    (HAIKU_4_5, {"response_format": {"type": "json_object"}}, {"response_format": "adapt"}),
]


@pytest.mark.parametrize(("model", "members", "expected"), LOSSES)
def test_what_is_lost_is_told_by_the_callers_own_name(
    model: str, members: dict[str, Any], expected: dict[str, str]
) -> None:
    assert losses(model, **members) == expected


BLIND = ("store", "prompt_cache_key", "metadata", "stream_options.include_obfuscation")


@pytest.mark.parametrize(("model", "members", "expected"), [row for row in LOSSES if row[2]])
def test_a_strict_caller_is_refused_what_would_be_lost(
    model: str, members: dict[str, Any], expected: dict[str, str]
) -> None:
    if set(expected) <= set(BLIND):
        assert {loss.path for loss in encode(model, strict=True, **members).losses} == set(expected)
    else:
        with pytest.raises(InvalidRequest) as caught:
            encode(model, strict=True, **members)
        assert caught.value.param in expected
        assert (caught.value.status, caught.value.code) == (400, "unsupported_parameter")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (HAIKU_4_5, {"n": 2}, "n"),
    (HAIKU_4_5, {"max_tokens": 0}, "max_tokens"),
    (HAIKU_4_5, {"max_completion_tokens": -1}, "max_completion_tokens"),
    (HAIKU_4_5, {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, "modalities"),
    (HAIKU_4_5, {"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    (HAIKU_4_5, {"background": True}, "background"),
    (HAIKU_4_5, {"web_search_options": {}}, "web_search_options"),
    (HAIKU_4_5, {"messages": [{"role": "system", "content": "S"}]}, "messages"),
    (HAIKU_4_5, {"messages": [{"role": "user", "content": " "}]}, "messages[0]"),
    (
        HAIKU_4_5,
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
        "response_format",
    ),
    (HAIKU_4_5, {"response_format": {"type": "grammar"}}, "response_format.type"),
    (HAIKU_4_5, {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
]


@pytest.mark.parametrize(("model", "members", "path"), REFUSED)
def test_what_would_make_another_answer_is_refused_by_its_path(model: str, members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(model, **members)
    assert (caught.value.status, caught.value.param) == (400, path)


def test_t20_more_than_one_answer_is_refused_and_not_answered_with_one() -> None:
    with pytest.raises(InvalidRequest, match="`n`"):
        encode(n=2)


@pytest.mark.parametrize(
    ("model", "members", "version"),
    [
        (HAIKU_4_5, {"temperature": 1}, "2023-06-01"),
        (HAIKU_4_5, {"top_k": 4}, "2023-06-01"),
        (HAIKU_4_5, {}, "2026-10-21"),
        (OPUS_4_7, {"temperature": 1}, "2026-10-21"),
    ],
)
def test_t85_sampling_goes_only_to_models_and_versions_that_take_it(
    model: str, members: dict[str, Any], version: str
) -> None:
    encoded = encode(model, **members)
    assert encoded.headers == {"anthropic-version": version}
    assert (b"temperature" in encoded.body or b"top_k" in encoded.body) == (version == "2023-06-01")
    assert bool(encoded.losses) == (model == OPUS_4_7)


def test_t93_another_vendors_extras_are_left_out() -> None:
    body = encode(safetySettings=[], provider={"order": ["x"]}, cached_content="c", transforms=[], route="x").body
    for name in (b"safetySettings", b"provider", b"cached_content", b"transforms", b"route"):
        assert name not in body


@pytest.mark.parametrize("options", [{}, {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}}])
def test_a_search_is_the_providers_own_where_the_route_allows_it(options: dict[str, Any]) -> None:
    tool = sent(target={"web_search": True}, web_search_options=options)["tools"][0]
    assert (tool["type"], tool["name"]) == ("web_search_20250305", "web_search")
    assert tool.get("user_location") == ({"type": "approximate", "city": "Bonn"} if options else None)


ANSWER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def wanted(schema: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **members}}


def test_an_answer_by_schema_is_enforced_by_the_api() -> None:
    body = sent(response_format=wanted(ANSWER, description="The answer", strict=True))
    assert body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": ANSWER | {"description": "The answer", "additionalProperties": False},
        }
    }
    assert losses(response_format=wanted(ANSWER, strict=True)) == {}
    assert losses(response_format=wanted(ANSWER, strict=False)) == {"response_format": "adapt"}


def test_t64_older_models_are_made_to_call_a_tool_that_the_caller_never_sees() -> None:
    encoded = encode(SONNET_4, response_format=wanted(ANSWER))
    body = sent(SONNET_4, response_format=wanted(ANSWER))
    assert body["tool_choice"] == {"type": "tool", "name": "respond_json"}
    assert [tool["name"] for tool in body["tools"]] == ["respond_json"]
    assert encoded.plan.hidden == "respond_json"
    both = sent(SONNET_4, response_format=wanted(ANSWER), tools=[WEATHER])
    assert both["tool_choice"] == {"type": "any"}
    own = {"type": "function", "function": {"name": "respond_json"}}
    assert encode(SONNET_4, response_format=wanted(ANSWER), tools=[own]).plan.hidden == "respond_json_2"


def test_a_model_that_cannot_be_forced_is_told_the_schema() -> None:
    body = sent(SONNET_4, response_format=wanted(ANSWER), reasoning_effort="low")
    assert "tools" not in body
    assert '"additionalProperties":false' in body["system"][-1]["text"]


def test_an_answer_in_json_is_asked_for_and_never_begun() -> None:
    body = sent(response_format={"type": "json_object"}, messages=[{"role": "system", "content": "S"}, USER])
    assert body["system"][0]["text"] == "S"
    assert "JSON object" in body["system"][1]["text"]
    assert body["messages"][-1]["role"] == "user"


def test_the_old_names_of_tools_mean_the_same() -> None:
    body = sent(functions=[WEATHER["function"]], function_call={"name": "get_weather"})
    assert body["tools"] == sent(tools=[WEATHER])["tools"]
    # who speaks of functions can take but one call
    assert body["tool_choice"] == {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}


CHOICES: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    (HAIKU_4_5, {}, None),
    (HAIKU_4_5, {"parallel_tool_calls": True}, None),
    (HAIKU_4_5, {"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    (HAIKU_4_5, {"tool_choice": "auto"}, {"type": "auto"}),
    (HAIKU_4_5, {"tool_choice": "none"}, {"type": "none"}),
    (HAIKU_4_5, {"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    (HAIKU_4_5, {"tool_choice": "required"}, {"type": "any"}),
    (
        HAIKU_4_5,
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"type": "any", "disable_parallel_tool_use": True},
    ),
    (
        HAIKU_4_5,
        {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
        {"type": "tool", "name": "get_time"},
    ),
    (OPUS_4_6, {"tool_choice": "required", "reasoning_effort": "low"}, {"type": "any"}),
    (HAIKU_4_5, {"tool_choice": "required", "reasoning_effort": "low"}, {"type": "auto"}),
    (OPUS_5_5, {"tool_choice": "required"}, {"type": "auto"}),
]


@pytest.mark.parametrize(("model", "members", "expected"), CHOICES)
def test_the_choice_of_tools_keeps_its_meaning_and_all_tools(
    model: str, members: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    body = sent(model, tools=[WEATHER, CLOCK], **members)
    assert body.get("tool_choice") == expected
    assert [tool["name"] for tool in body["tools"]] == ["get_weather", "get_time"]


def test_t66_a_forced_choice_that_the_model_refuses_is_left_to_it_and_told() -> None:
    assert losses(OPUS_5_5, tools=[WEATHER], tool_choice="required") == {"tool_choice": "adapt"}
    with pytest.raises(InvalidRequest) as caught:
        encode(OPUS_5_5, strict=True, tools=[WEATHER], tool_choice="required")
    assert caught.value.param == "tool_choice"


def test_allowed_tools_leave_the_others_out() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]}
    body = sent(tools=[WEATHER, CLOCK], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool["name"] for tool in body["tools"]] == ["get_time"]
    assert body["tool_choice"] == {"type": "any"}


def test_a_choice_without_tools_is_not_sent() -> None:
    assert "tool_choice" not in sent(tool_choice="auto", parallel_tool_calls=False)
