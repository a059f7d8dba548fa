"""Tools and schemas as the Messages API accepts them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.messages.names import Names
from gaiarouter.dialects.messages.schema import NotEnforceable, enforceable
from gaiarouter.errors import InvalidRequest
from tests.dialects.messages.send import SONNET_4, USER, assistant, call, encode, encode_bytes, losses, result, sent

BODY = b"""{"model": "x", "messages": [{"role": "user", "content": "Hi"}],
"tools": [{"type": "function", "function": {"name": "f", "parameters": %s}}]}"""
EMPTY = {"type": "object", "properties": {}}
RICH = {
    "type": "object",
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    "properties": {
        "kind": {"enum": ["b", "a"]},
        "value": {"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "null"}]},
        "root": {"$ref": "#/$defs/node"},
        "n": {"type": "integer", "minimum": 12345678901234567890},
    },
    "additionalProperties": {"type": "string"},
}


def function(name: str = "f", **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **members}}


def tool(**members: Any) -> dict[str, Any]:
    found: dict[str, Any] = sent(tools=[function(**members)])["tools"][0]
    return found


def test_t13_a_tool_goes_in_and_a_tool_comes_out() -> None:
    assert tool(description="D", parameters=RICH) == {"name": "f", "description": "D", "input_schema": RICH}


def test_t15_t18_a_schema_that_is_not_strict_arrives_byte_for_byte() -> None:
    spelt = '{"type": "object",  "properties": {"z": {"default":1.0}, "a": {"$ref":"#/$defs/x"}}, "$defs": {"x": {}}}'
    assert spelt.encode() in encode_bytes(BODY % spelt.encode()).body


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters_has_an_empty_schema(parameters: Any) -> None:
    assert tool(parameters=parameters)["input_schema"] == EMPTY


def test_a_schema_without_a_type_is_that_of_an_object() -> None:
    assert tool(parameters={"properties": {"a": {}}})["input_schema"] == {"type": "object", "properties": {"a": {}}}


@pytest.mark.parametrize("description", [None, ""])
def test_a_description_that_was_not_given_is_not_sent(description: str | None) -> None:
    assert "description" not in tool(description=description)


@pytest.mark.parametrize(
    "schema",
    [{"type": "string"}, {"type": "array"}, {"anyOf": []}, {"oneOf": [{}]}, {"type": "object", "allOf": []}, True],
)
def test_a_schema_that_is_none_of_an_object_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(tools=[function(), function("g", parameters=schema)])
    assert caught.value.param == "tools[1]"


def test_a_custom_tool_takes_one_string_and_is_told_its_grammar() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a+/"}}
    body = sent(tools=[{"type": "custom", "custom": {"name": "sql", "description": "D", "format": grammar}}])
    assert body["tools"][0]["input_schema"]["properties"] == {"input": {"type": "string"}}
    assert body["tools"][0]["description"].startswith("D\n\n")
    assert "start: /a+/" in body["tools"][0]["description"]
    assert encode(tools=[{"type": "custom", "custom": {"name": "s.q"}}]).plan.custom == {"s_q"}


@pytest.mark.parametrize(
    "own",
    [
        {"name": "f", "input_schema": EMPTY, "input_examples": [{}], "cache_control": {"type": "ephemeral"}},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ],
)
def test_a_tool_of_the_apis_own_is_forwarded(own: dict[str, Any]) -> None:
    assert sent(tools=[own])["tools"] == [own]


@pytest.mark.parametrize("kind", ["web_search_preview", "file_search", "code_interpreter", "mcp"])
def test_a_tool_that_runs_elsewhere_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(tools=[{"type": kind}])
    assert caught.value.param == "tools[0]"


def test_a_tool_that_is_loaded_later_has_no_marker() -> None:
    later = function() | {"defer_loading": True, "cache_control": {"type": "ephemeral"}}
    assert sent(tools=[later])["tools"] == [{"name": "f", "input_schema": EMPTY, "defer_loading": True}]
    assert losses(tools=[later]) == {"tools[0]": "drop"}


# --- strict schemas


def test_a_strict_tool_is_strict_where_the_model_can_be_held_to_it() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    strict = function(strict=True, parameters=schema)
    assert sent(tools=[strict])["tools"] == [{"name": "f", "input_schema": schema, "strict": True}]
    assert losses(tools=[strict]) == {}
    assert sent(SONNET_4, tools=[strict])["tools"] == [{"name": "f", "input_schema": schema}]
    assert losses(SONNET_4, tools=[strict]) == {"tools[0]": "drop"}


SCHEMAS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "objects are closed",
        {"type": "object", "properties": {"a": {"type": "object"}}, "additionalProperties": True},
        {
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
            "additionalProperties": False,
        },
    ),
    (
        "what cannot be enforced is told",
        {"type": "integer", "minimum": 1, "maximum": 9, "description": "D"},
        {"type": "integer", "description": "D\n\n{minimum: 1, maximum: 9}"},
    ),
    ("formats that are known stay", {"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    (
        "formats that are not are told",
        {"type": "string", "format": "phone"},
        {"type": "string", "description": '{format: "phone"}'},
    ),
    ("one of is any of", {"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
    ("values say the type", {"type": "string", "enum": ["a", 1, None]}, {"enum": ["a", 1, None]}),
    ("one value too", {"const": "a"}, {"const": "a"}),
    (
        "at least one",
        {"type": "array", "minItems": 1, "items": {"const": 1}},
        {"type": "array", "items": {"const": 1}, "minItems": 1},
    ),
    ("at least two is told", {"type": "array", "minItems": 2}, {"type": "array", "description": "{minItems: 2}"}),
    (
        "definitions stay at a root that refers",
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "null", "title": "A"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "null", "title": "A"}}},
    ),
]


@pytest.mark.parametrize(("schema", "clean"), [row[1:] for row in SCHEMAS], ids=[row[0] for row in SCHEMAS])
def test_a_schema_is_brought_into_what_the_api_enforces(schema: dict[str, Any], clean: dict[str, Any]) -> None:
    before = json.dumps(schema)
    assert enforceable(schema)[0] == clean
    assert json.dumps(schema) == before
    again, moved = enforceable(clean)
    assert (again, moved) == (clean, False)


def test_t17_properties_named_like_keywords_survive() -> None:
    names = ("properties", "type", "format", "const", "enum", "required", "items", "$ref")
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "additionalProperties": False,
    }
    assert enforceable(schema) == (schema, False)


@pytest.mark.parametrize("schema", [{}, {"description": "x"}, {"type": "array", "items": {}}, True, {"enum": [[]]}])
def test_a_schema_that_says_nothing_cannot_be_enforced(schema: Any) -> None:
    with pytest.raises(NotEnforceable):
        enforceable(schema)


# --- names


def test_t29_an_illegal_name_is_legal_on_the_wire_and_the_callers_own_in_the_answer() -> None:
    names = ["get.weather", "get_weather", "get weather", "x" * 200, "x" * 128, "ö"]
    encoded = encode(tools=[function(name) for name in names])
    wire = [each["name"] for each in json.loads(encoded.body)["tools"]]
    assert wire == ["get_weather_2", "get_weather", "get_weather_3", "x" * 126 + "_2", "x" * 128, "_"]
    assert [encoded.plan.tools.get(name, name) for name in wire] == names


def test_a_renamed_tool_has_one_name_in_tools_choice_and_history() -> None:
    body = sent(
        tools=[function("a.b")],
        tool_choice={"type": "function", "function": {"name": "a.b"}},
        messages=[USER, assistant(call("1", "a.b", "{}")), result("1")],
    )
    assert body["tools"][0]["name"] == body["tool_choice"]["name"] == body["messages"][1]["content"][0]["name"] == "a_b"


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=6), max_size=12))
def test_names_map_one_to_one_and_a_longer_list_changes_none(names: list[str]) -> None:
    every = Names(max_chars=5)
    wire = {name: every.wire(name) for name in names}
    assert len(set(wire.values())) == len(set(names))
    assert {every.renamed().get(legal, legal) for legal in wire.values()} == set(names)
    for length in range(len(names)):
        fewer = Names(max_chars=5)
        assert [fewer.wire(name) for name in names[:length]] == [wire[name] for name in names[:length]]
