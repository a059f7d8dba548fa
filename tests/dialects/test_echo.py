from __future__ import annotations

import json
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.dialects.echo import answer
from gaiarouter.dialects.echo_schema import example_of
from gaiarouter.errors import InvalidRequest

CHAT = ChatDialect()
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
        },
    },
}
OTHER = {"type": "function", "function": {"name": "other"}}


def ask(text: Any = "Are you there?", **members: Any) -> tuple[dict[str, Any], list[bytes]]:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}]} | members
    said = answer(json.dumps(body).encode(), answer_id="chatcmpl-0123456789", created=1_700_000_000)
    return json.loads(said.body), said.chunks


def message(whole: dict[str, Any]) -> dict[str, Any]:
    return whole["choices"][0]["message"]


def test_it_says_who_it_is_and_repeats_what_it_was_told() -> None:
    whole, _ = ask()
    assert "demo model" in message(whole)["content"]
    assert message(whole)["content"].endswith("Are you there?")
    assert (whole["id"], whole["created"], whole["model"]) == ("chatcmpl-0123456789", 1_700_000_000, "demo")
    assert whole["choices"][0]["finish_reason"] == "stop"


def test_it_repeats_the_text_parts_and_names_the_others() -> None:
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]
    assert message(ask(parts)[0])["content"].endswith("Look: [image_url]")


def test_a_very_long_text_is_not_repeated_whole() -> None:
    whole, chunks = ask("word " * 100_000, n=16, stream=True)
    assert len(message(whole)["content"]) < 2000
    assert len(chunks) < 5000


@pytest.mark.parametrize("n", [0, -1, 17, 10**30])
def test_more_choices_than_it_has_are_refused(n: int) -> None:
    with pytest.raises(InvalidRequest, match="`n` must be from 1 to 16"):
        ask(n=n)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"n": 3},
        {"max_tokens": 5},
        {"stop": ["demo"]},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
    ],
    ids=str,
)
def test_streamed_or_not_it_says_the_same(members: dict[str, Any]) -> None:
    whole, chunks = ask(stream=True, stream_options={"include_usage": True}, **members)
    stream = b"".join(chunks)
    watcher = CHAT.watch(drop_usage=False)
    assert watcher.feed(stream) == stream
    assert (watcher.finished, watcher.error, chunks[-1]) == (True, None, b"data: [DONE]\n\n")
    folded = json.loads(CHAT.answer_of(stream).body)
    assert folded["usage"] == whole["usage"]
    for told, choice in zip(folded["choices"], whole["choices"], strict=True):
        assert told["finish_reason"] == choice["finish_reason"]
        assert told["message"].get("tool_calls") == choice["message"].get("tool_calls")
        assert (told["message"]["content"] or "") == (choice["message"]["content"] or "")


def test_usage_is_streamed_only_on_request() -> None:
    assert b'"usage"' not in b"".join(ask(stream=True)[1])


def test_usage_adds_up() -> None:
    usage = ask()[0]["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert ask(n=3)[0]["usage"]["completion_tokens"] == 3 * usage["completion_tokens"]


@pytest.mark.parametrize("limit", [0, 1, 5, 10])
def test_it_stops_at_the_limit(limit: int) -> None:
    whole, _ = ask(max_completion_tokens=limit)
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"]["completion_tokens"] <= max(limit, 1)


def test_a_limit_it_does_not_reach_changes_nothing() -> None:
    assert ask(max_tokens=1000)[0]["choices"] == ask()[0]["choices"]


@pytest.mark.parametrize("stop", ["there", ["zzz", "there?"], ["", "there"]], ids=repr)
def test_it_stops_before_a_stop_sequence(stop: Any) -> None:
    whole, _ = ask(stop=stop)
    assert message(whole)["content"].endswith("Are you ")
    assert whole["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "other"),
        ({"type": "function", "function": {"name": "weather"}}, "weather"),
    ],
)
def test_it_calls_the_tool_it_is_made_to_call(choice: Any, name: str) -> None:
    whole, _ = ask(tools=[OTHER, WEATHER], tool_choice=choice)
    (call,) = message(whole)["tool_calls"]
    assert (call["function"]["name"], whole["choices"][0]["finish_reason"]) == (name, "tool_calls")
    arguments = json.loads(call["function"]["arguments"])
    jsonschema.validate(arguments, {"type": "object"} if name == "other" else WEATHER["function"]["parameters"])


@pytest.mark.parametrize("choice", [None, "auto", "none", {"type": "function", "function": {"name": "absent"}}, {}])
def test_it_calls_nothing_on_its_own(choice: Any) -> None:
    assert message(ask(tools=[OTHER], tool_choice=choice)[0])["content"]


def test_it_reads_the_result_of_a_tool() -> None:
    whole, _ = ask(
        messages=[
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "Sunny"},
        ]
    )
    assert message(whole)["content"].endswith("Sunny")


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "minLength": 9},
            {"type": "string", "maxLength": 2},
            {"type": "string", "format": "date-time"},
            {"type": "string", "enum": ["a", "b"]},
            {"const": 5},
            {"type": "integer"},
            {"type": "integer", "minimum": 3},
            {"type": "integer", "exclusiveMinimum": 3},
            {"type": "integer", "maximum": -3},
            {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
            {"type": "number", "exclusiveMaximum": 0},
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["null", "integer"]},
            {"$ref": "#/$defs/point"},
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda schema: {"type": "array", "items": schema, "minItems": 1}),
        inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
        inner.map(lambda schema: {"allOf": [schema]}),
        st.lists(inner, max_size=3).map(
            lambda schemas: {
                "type": "object",
                "properties": {f"p{position}": schema for position, schema in enumerate(schemas)},
                "required": [f"p{position}" for position in range(len(schemas))],
                "additionalProperties": False,
            }
        ),
    ),
    max_leaves=5,
)
POINT = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}


@settings(max_examples=50, deadline=None)
@given(SCHEMAS)
def test_json_fits_the_schema_that_was_asked_for(schema: dict[str, Any]) -> None:
    rooted = {"type": "object", "properties": {"it": schema}, "required": ["it"], "$defs": {"point": POINT}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": rooted}}
    whole, _ = ask(response_format=wanted)
    jsonschema.validate(json.loads(message(whole)["content"]), rooted)


def test_json_without_a_schema_is_an_object() -> None:
    content = json.loads(message(ask(response_format={"type": "json_object"})[0])["content"])
    assert content["you_said"] == "Are you there?"


WORDS = ["$ref", "const", "enum", "allOf", "anyOf", "type", "properties", "required", "items", "format"]
WORDS += ["minItems", "minLength", "maxLength", "minimum", "exclusiveMaximum"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ODD = st.recursive(
    LEAVES | st.sampled_from(["object", "array", "string", "number", "integer", "#"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=10,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(ODD)
def test_what_is_no_schema_is_still_answered(schema: Any) -> None:
    json.dumps(example_of(schema))
    ask(response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    ask(response_format={"type": "json_schema", "json_schema": schema})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"type": "array", "minItems": 1_000_000_000, "items": {"$ref": "#"}},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}]},
        {"type": "string", "minLength": 1_000_000_000},
    ],
    ids=str,
)
def test_a_schema_without_an_end_is_cut_off(schema: dict[str, Any]) -> None:
    begin = time.process_time()
    assert len(json.dumps(example_of(schema))) < 100_000
    assert time.process_time() - begin < 0.2


def test_what_is_no_request_is_refused_as_any_provider_would() -> None:
    with pytest.raises(InvalidRequest):
        answer(b"{}", answer_id="x", created=0)
