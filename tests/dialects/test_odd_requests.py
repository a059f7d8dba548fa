"""Requests that are JSON and no requests: each was an error of the gateway's before it was the caller's."""

from __future__ import annotations

from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.test_canonical_round_trip import FORMATS
from tests.dialects.test_mutated_requests import decoded

USER = {"role": "user", "content": "Hi"}
OPENAPI = "gemini-2.0-flash"
"""A model that takes the older form of schemas."""

SCHEMAS: list[Any] = [
    {"type": "object", "properties": 5},
    {"type": "object", "properties": ["a"]},
    {"type": "object", "properties": "a"},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "properties": {"a": {"type": "string", "format": ["x"]}}},
    {"type": "object", "properties": {}, "required": 7},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": [["a"], {}, 1]},
    {"type": "object", "anyOf": 3},
    {"type": "object", "allOf": [{"required": [[]], "properties": {"a": {}}}], "properties": 1, "required": 2},
    {"type": "object", "properties": {"a": {"enum": 4}}},
    {"type": ["object", None, {}]},
]


def deep(levels: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize("schema", [*SCHEMAS, deep(300)], ids=str)
@pytest.mark.parametrize("name", [*FORMATS, OPENAPI])
@pytest.mark.parametrize("use", ["tool", "format"])
def test_t16_a_schema_that_is_none_is_passed_on_or_refused_by_its_path(name: str, use: str, schema: Any) -> None:
    format_ = FORMATS["gemini" if name == OPENAPI else name]
    strict = {"name": "f", "strict": True}
    members: dict[str, Any] = {"tools": [{"type": "function", "function": strict | {"parameters": schema}}]}
    if use == "format":
        members = {"response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}}
    request = decoded("chat", {"model": "m", "messages": [USER]} | members)
    try:
        format_.target.prepare(request, model=OPENAPI if name == OPENAPI else format_.model, strict=False)
    except InvalidRequest as error:
        assert error.param in ("tools[0]", "response_format", "response_format.json_schema.schema")  # noqa: PT017


@pytest.mark.parametrize(
    ("caller", "target", "members", "param"),
    [
        (
            "messages",
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": 5}]}]},
            "messages[0].content[0].citations",
        ),
        (
            "messages",
            "messages",
            {
                "messages": [
                    USER,
                    {"role": "assistant", "content": "So"},
                    {
                        "role": "system",
                        "content": [{"type": "image", "source": {"type": "url", "url": "https://a.b/c"}}],
                    },
                    USER,
                ]
            },
            "messages[2].content[0]",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_path(caller: str, target: str, members: dict[str, Any], param: str) -> None:
    format_ = FORMATS[target]
    with pytest.raises(InvalidRequest) as caught:
        format_.target.prepare(
            decoded(caller, {"model": "m", "max_tokens": 9} | members), model=format_.model, strict=False
        )
    assert caught.value.param == param


def test_the_last_word_may_be_a_block_of_any_kind() -> None:
    last = {"role": "assistant", "content": [{"type": "surprise", "text": "So"}]}
    request = decoded("messages", {"model": "m", "max_tokens": 9, "messages": [USER, last]})
    assert b"surprise" in FORMATS["messages"].target.prepare(request, model="claude-opus-4-5", strict=False).body
