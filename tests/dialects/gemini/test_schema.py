"""Schemas as the API takes them: JSON Schema in newer models, a subset of OpenAPI's in older ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gaiarouter.dialects.gemini.openapi import openapi_schema
from gaiarouter.dialects.gemini.schema import json_schema
from tests.dialects.gemini import stream
from tests.dialects.gemini.send import FLASH_2_0, encode, function, losses


def test_t15_a_schema_that_the_api_takes_keeps_its_bytes() -> None:
    schema = b'{"$defs": {"N": {"enum": [1, 2.50]}}, "properties": {"b": {"$ref": "#/$defs/N"}, "a": {"anyOf": []}}}'
    assert json_schema(Raw(schema)) == (Raw(schema), False)


def test_t18_nothing_is_added_to_a_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert json.loads(bytes(json_schema(Raw(json.dumps(schema).encode()))[0])) == schema
    assert openapi_schema(schema).node == schema


CLEANED: list[tuple[Any, Any, bool]] = [
    ({"$schema": "s", "$id": "i", "$comment": "c", "type": "string"}, {"type": "string"}, False),
    (
        {"type": "object", "propertyNames": {"pattern": "a"}},
        {"type": "object", "description": '{propertyNames: {"pattern":"a"}}'},
        True,
    ),
    ({"not": {"type": "null"}, "description": "D"}, {"description": 'D\n\n{not: {"type":"null"}}'}, True),
    (
        {"properties": {"not": {"type": "string"}, "$id": {"type": "string"}, "if": {"$comment": "c"}}},
        {"properties": {"not": {"type": "string"}, "$id": {"type": "string"}, "if": {}}},
        False,
    ),
    (
        {"items": {"$id": "i"}, "anyOf": [{"$id": "i"}, True], "$defs": {"a": {"$id": "i"}}},
        {"items": {}, "anyOf": [{}, True], "$defs": {"a": {}}},
        False,
    ),
    ({"enum": [{"$id": "i"}], "default": {"not": 1}}, {"enum": [{"$id": "i"}], "default": {"not": 1}}, False),
    (
        {"const": "x", "exclusiveMinimum": 1, "uniqueItems": True, "type": ["string", "null"]},
        {"const": "x", "exclusiveMinimum": 1, "uniqueItems": True, "type": ["string", "null"]},
        False,
    ),
]


@pytest.mark.parametrize(("schema", "expected", "moved"), CLEANED, ids=[str(row[0])[:60] for row in CLEANED])
def test_what_newer_models_refuse_moves_into_the_description(schema: Any, expected: Any, moved: bool) -> None:
    clean, told = json_schema(Raw(json.dumps(schema).encode()))
    assert json.loads(bytes(clean)) == expected
    assert told == moved


OPENAPI: list[tuple[Any, Any]] = [
    ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ({"type": ["string", "integer", "null"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True}),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
    (
        {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True},
    ),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ({"const": "x"}, {"type": "string", "enum": ["x"]}),
    ({"const": 3}, {"type": "string", "enum": ["3"], "format": "enum"}),
    ({"enum": ["a", None]}, {"type": "string", "enum": ["a"], "nullable": True}),
    ({"type": "integer", "enum": [1, 2]}, {"type": "string", "enum": ["1", "2"], "format": "enum"}),
    (
        {"type": ["integer", "null"], "enum": [1, None]},
        {"type": "string", "enum": ["1"], "format": "enum", "nullable": True},
    ),
    ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
    ({"items": {"type": "integer"}}, {"type": "array", "items": {"type": "integer"}}),
    (
        {"type": "array", "uniqueItems": True, "minItems": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "{uniqueItems: true}"},
    ),
    (
        {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2},
        {"type": "integer", "description": "{exclusiveMinimum: 0, multipleOf: 2}"},
    ),
    (
        {"type": "string", "format": "email", "description": "D"},
        {"type": "string", "description": 'D\n\n{format: "email"}'},
    ),
    (
        {"type": "string", "format": "date-time", "pattern": "x"},
        {"type": "string", "format": "date-time", "pattern": "x"},
    ),
    ({"type": "object", "additionalProperties": False}, {"type": "object"}),
    (
        {"type": "object", "properties": {"a": True}, "required": ["a", "z"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    ),
    ({}, {"type": "string"}),
    (
        {
            "allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"$ref": "#/$defs/B"}],
            "$defs": {"B": {"properties": {"b": {"type": "integer"}}, "required": ["b"], "title": "T"}},
        },
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "title": "T",
        },
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/definitions/a~1b", "description": "mine"}},
            "definitions": {"a/b": {"type": "string", "description": "theirs"}},
        },
        {"type": "object", "properties": {"a": {"type": "string", "description": "mine"}}},
    ),
    (
        {
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        },
        {"type": "object", "properties": {"next": {"type": "object"}}},
    ),
    (
        {"type": "object", "properties": {"a": {"$ref": "https://example.com"}}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
    ),
]


@pytest.mark.parametrize(("schema", "expected"), OPENAPI, ids=[str(row[0])[:70] for row in OPENAPI])
def test_t16_a_schema_for_older_models(schema: Any, expected: Any) -> None:
    assert openapi_schema(schema).node == expected


T17 = {
    "type": "object",
    "properties": {
        name: {"type": "string"}
        for name in ("properties", "type", "format", "const", "$ref", "enum", "items", "anyOf", "required", "$schema")
    },
    "required": ["const", "$ref"],
}


def test_t17_a_property_may_be_called_like_a_keyword() -> None:
    assert openapi_schema(T17).node == T17
    raw = Raw(json.dumps(T17).encode())
    assert json_schema(raw) == (raw, False)


ALLOWED = {
    *("type", "format", "title", "description", "nullable", "enum", "items", "properties", "required", "default"),
    *("propertyOrdering", "anyOf", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "example"),
    *("maxProperties", "minimum", "maximum", "pattern"),
}
KEYWORDS = st.sampled_from(
    [
        *sorted(ALLOWED),
        "$schema",
        "const",
        "oneOf",
        "allOf",
        "$ref",
        "uniqueItems",
        "propertyNames",
        "if",
        "$defs",
        "x-y",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["string", "object", "array", "null", "#/$defs/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=12,
)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    yield node
    for inner in (
        *(node.get("properties") or {}).values(),
        *(node.get("anyOf") or ()),
        *filter(None, [node.get("items")]),
    ):
        yield from nodes(inner)


@given(st.dictionaries(KEYWORDS, JSON, max_size=5))
def test_t16_no_schema_whatever_holds_a_keyword_that_is_not_allowed(schema: dict[str, Any]) -> None:
    assert all(node.keys() <= ALLOWED for node in nodes(openapi_schema(schema).node))


def test_values_that_became_text_are_the_callers_again_in_the_answer() -> None:
    parameters = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "enum": [1, 2]},
            "flags": {"type": "array", "items": {"enum": [True, "on"]}},
            "name": {"type": "string", "enum": ["1", "2"]},
        },
    }
    encoded = encode(FLASH_2_0, tools=[function("f", parameters)])
    args = {"size": "2", "flags": ["true", "on", "else"], "name": "2"}
    answer = stream.whole(stream.response(stream.called("f", args), finish="STOP"), encoded.plan)
    (part,) = stream.only(answer).parts
    assert json.loads(part.arguments) == {"size": 2, "flags": [True, "on", "else"], "name": "2"}  # type: ignore[union-attr]


def test_a_constraint_that_is_only_told_is_a_warning() -> None:
    tools = [function("f", {"type": "object", "properties": {"a": {"type": "string", "format": "email"}}})]
    assert losses(FLASH_2_0, tools=tools) == {"tools[0]": "adapt"}
    assert losses(tools=tools) == {}
