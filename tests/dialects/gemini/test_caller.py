"""Callers that speak Gemini: what they send is read, and what is wrong with it is named by its path."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw

from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Document,
    FileRef,
    Image,
    Opaque,
    Text,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gaiarouter.canonical.request import JsonSchema, ToolChoice
from gaiarouter.dialects.gemini.decode import decode_request
from gaiarouter.dialects.gemini.head import read_request
from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini.calling import (
    HI,
    THERE,
    decoded,
    parts_of,
)


def test_both_spellings_of_each_name_are_read_and_the_callers_own_names_stay() -> None:
    camel = decoded(
        [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
        systemInstruction={"parts": [{"text": "S"}]},
        generationConfig={"maxOutputTokens": 5, "topK": 40.0, "thinkingConfig": {"thinkingBudget": 7}},
        tools=[{"functionDeclarations": [{"name": "a_b", "parametersJsonSchema": {"properties": {"c_d": {}}}}]}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a_b"]}},
    )
    snake = decoded(
        [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AAAA"}}]}],
        system_instruction={"parts": [{"text": "S"}]},
        generation_config={"max_output_tokens": 5, "top_k": 40.0, "thinking_config": {"thinking_budget": 7}},
        tools=[{"function_declarations": [{"name": "a_b", "parameters_json_schema": {"properties": {"c_d": {}}}}]}],
        tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["a_b"]}},
    )
    assert snake == camel
    assert (camel.max_output_tokens, camel.sampling.top_k, camel.thinking.budget) == (5, 40, 7)
    assert camel.tool_choice == ToolChoice("named", ("a_b",))
    assert camel.tools[0].name == "a_b"
    assert json.loads(bytes(camel.tools[0].schema or b"")) == {"properties": {"c_d": {}}}


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ("{}", None),
        ('{"maxOutputTokens": 5}', 5),
        ('{"maxOutputTokens": 5, "candidateCount": 3}', 15),
        ('{"max_output_tokens": 5, "candidate_count": 3}', 15),
        ('{"candidateCount": 3}', None),
    ],
)
def test_the_limit_is_of_all_candidates_together(config: str, limit: int | None) -> None:
    body = b'{"contents": "Hi", "generationConfig": %b}' % config.encode()
    assert read_request(body, THERE).max_output_tokens == limit


def test_a_limit_of_thousands_of_digits_is_none_worth_the_name() -> None:
    body = b'{"contents": "Hi", "generationConfig": {"maxOutputTokens": %b}}' % (b"9" * 5_000)
    limit = read_request(body, THERE).max_output_tokens
    assert limit is not None
    assert limit > 10**15


@pytest.mark.parametrize("contents", ["Hi", {"parts": [{"text": "Hi"}]}, [{"parts": {"text": "Hi"}}], HI, ["Hi"]])
def test_one_thing_may_stand_where_a_list_is_meant(contents: Any) -> None:
    (turn,) = decoded(contents).turns
    assert (turn.role, [part.text for part in turn.parts if isinstance(part, Text)]) == ("user", ["Hi"])


@pytest.mark.parametrize(
    "instruction", ["S", {"parts": [{"text": "S"}]}, {"role": "user", "parts": {"text": "S"}}, [{"text": "S"}]]
)
def test_instructions_come_in_several_forms(instruction: Any) -> None:
    (found,) = decoded(systemInstruction=instruction).instructions
    assert (found.text, found.origin) == ("S", "top_level")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"inlineData": {"mimeType": "image/PNG", "data": "_-8="}}, Image(source=Base64("image/png", "/+8="))),
        (
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
            Audio(source=Base64("audio/wav", "AAAA"), format="wav"),
        ),
        ({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}, Video(source=Base64("video/mp4", "AAAA"))),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
            Document(source=Base64("application/pdf", "AAAA")),
        ),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png"}},
            Image(source=Url("https://x.test/a.png", "image/png")),
        ),
        (
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
            Document(source=FileRef("https://generativelanguage.googleapis.com/v1beta/files/a", "gemini")),
        ),
    ],
)
def test_media_are_known_by_their_type(part: Any, expected: Any) -> None:
    (found,) = parts_of(part)
    assert type(found) is type(expected)
    assert found.source == expected.source
    assert getattr(found, "format", None) == getattr(expected, "format", None)


def test_t30_results_find_their_calls_by_id_else_by_name_in_order() -> None:
    called = [
        {"functionCall": {"name": "f", "args": {"n": 1}}},
        {"functionCall": {"name": "g"}},
        {"functionCall": {"name": "f", "args": {"n": 2}}},
        {"functionCall": {"id": "given", "name": "f", "args": {"n": 3}}},
    ]
    answered = [
        {"functionResponse": {"id": "given", "name": "f", "response": {"output": "3"}}},
        {"functionResponse": {"name": "f", "response": {"output": "1"}}},
        {"functionResponse": {"name": "f", "response": {"output": "2"}}},
        {"functionResponse": {"name": "g", "response": {"output": "g"}}},
    ]
    contents = [*HI, {"role": "model", "parts": called}, {"role": "user", "parts": answered}]
    _, model, user = decoded(contents).turns
    calls = [part for part in model.parts if isinstance(part, ToolCall)]
    assert len({call.call_id for call in calls}) == 4
    by_id = {call.call_id: call for call in calls}
    found = [
        (by_id[part.call_id].name, by_id[part.call_id].arguments, part.content)
        for part in user.parts
        if isinstance(part, ToolResult)
    ]
    assert found == [("f", '{"n":3}', "3"), ("f", '{"n":1}', "1"), ("f", '{"n":2}', "2"), ("g", "{}", "g")]
    assert [each.call_id for each in calls] == [
        part.call_id for part in decoded(contents[:2]).turns[1].parts if isinstance(part, ToolCall)
    ], "a longer conversation names the same calls the same"


@pytest.mark.parametrize(
    ("response", "content", "is_error"),
    [
        ({"output": "x"}, "x", None),
        ({"result": "x"}, "x", None),
        ({"error": "x"}, "x", True),
        ({"error": {"a": 1}}, '{"a":1}', True),
        ({"output": {"a": 1}}, Raw(b'{"output":{"a":1}}'), None),
        ({"output": "x", "more": 1}, Raw(b'{"output":"x","more":1}'), None),
        (None, "", None),
    ],
)
def test_what_a_function_returned_is_read_as_it_was_meant(response: Any, content: Any, is_error: Any) -> None:
    contents = [
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": response}}]},
    ]
    (result,) = decoded(contents).turns[1].parts
    assert isinstance(result, ToolResult)
    assert result.content == content
    assert result.is_error is is_error


@pytest.mark.parametrize(
    ("calling", "expected"),
    [
        ({}, None),
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "none"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("named", ("f",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice("allowed", ("f", "g"), True)),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]}, ToolChoice("allowed", ("f", "g"))),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
    ],
)
def test_the_choice_of_functions(calling: Any, expected: Any) -> None:
    tools = [{"functionDeclarations": [{"name": "f"}]}, {"functionDeclarations": [{"name": "g"}]}]
    request = decoded(tools=tools, toolConfig={"functionCallingConfig": calling})
    assert request.tool_choice == expected
    assert [tool.name for tool in request.tools] == ["f", "g"]
    assert {tool.strict for tool in request.tools} == {True if calling.get("mode") == "VALIDATED" else None}


def test_t17_a_schema_of_openapi_becomes_json_schema_and_properties_keep_their_names() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True, "enum": ["a"]},
            "any_of": {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}], "nullable": True},
            "items": {"type": "ARRAY", "items": {"type": "NUMBER"}, "min_items": "2"},
        },
        "property_ordering": ["items", "type"],
        "required": ["type"],
    }
    request = decoded(tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}])
    found = json.loads(bytes(request.tools[0].schema or b""))
    assert found == {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 2},
            "type": {"type": ["string", "null"], "enum": ["a", None]},
            "any_of": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
        },
        "required": ["type"],
    }
    assert list(found["properties"]) == ["items", "type", "any_of"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseMimeType": "application/json"}, "json_object"),
        ({"responseMimeType": "text/plain"}, "text"),
        ({"responseJsonSchema": {"type": "object"}}, JsonSchema(schema=Raw(b'{"type":"object"}'))),
        (
            {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}},
            JsonSchema(schema=Raw(b'{"type":"string","enum":["a"]}')),
        ),
        ({}, None),
    ],
)
def test_the_form_of_an_answer(config: Any, expected: Any) -> None:
    found = decoded(generationConfig=config).output.format
    if isinstance(expected, JsonSchema):
        assert isinstance(found, JsonSchema)
        assert json.loads(bytes(found.schema)) == json.loads(bytes(expected.schema))
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, (None, None, None, "omit")),
        ({"thinkingBudget": 0}, ("off", None, None, "omit")),
        ({"thinkingBudget": -1, "includeThoughts": True}, ("adaptive", None, None, "shown")),
        ({"thinkingBudget": 500}, ("budget", None, 500, "omit")),
        ({"thinkingLevel": "LOW"}, ("effort", "low", None, "omit")),
    ],
)
def test_how_much_to_think(wish: Any, expected: Any) -> None:
    thinking = decoded(generationConfig={"thinkingConfig": wish}).thinking
    assert (thinking.mode, thinking.effort, thinking.budget, thinking.visible) == expected


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"inlineData": {"data": "AAAA"}}]}]}, "contents[0].parts[0].inlineData.mimeType"),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "%"}}]}]},
            "contents[0].parts[0].inlineData.data",
        ),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0]"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}]},
            "contents[0].parts[0].functionResponse.name",
        ),
        ({"contents": HI, "generationConfig": {"topP": "x"}}, "generationConfig.topP"),
        ({"contents": HI, "generation_config": {"topP": 1, "top_p": 1}}, "generationConfig.topP"),
        ({"contents": HI, "systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction.parts[0]"),
        ({"contents": HI, "tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        (
            {"contents": HI, "tools": [{"functionDeclarations": [{"name": "f", "parameters": [1]}]}]},
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            {"contents": HI, "toolConfig": {"functionCallingConfig": {"mode": "EVEN"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        ({"contents": HI, "generationConfig": {"responseMimeType": "image/png"}}, "generationConfig.responseMimeType"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(body: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        decode_request(json.dumps(body).encode(), THERE)
    assert raised.value.param == path


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.text(),
        lambda inner: (
            some.lists(inner)
            | some.dictionaries(
                some.sampled_from(
                    ["parts", "text", "role", "functionCall", "inlineData", "functionResponse", "name", "x_y"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_bad_input_is_an_invalid_request_and_nothing_else(contents: Any) -> None:
    body = json.dumps({"contents": contents}).encode()
    with suppress(InvalidRequest):
        read_request(body, THERE)
        decode_request(body, THERE)


def test_a_part_that_only_this_format_has_stays_as_it_is() -> None:
    raw = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"}
    (part,) = parts_of(raw)
    assert isinstance(part, Opaque)
    assert (part.type, json.loads(bytes(part.raw)), part.fallback) == ("executableCode", raw, None)


WEIGHED: dict[str, tuple[Any, int]] = {
    "texts": ([{"role": "user", "parts": [{"text": "x" * 40}]}, {"parts": [{"text": "y" * 8}]}], 21),
    "a picture": ([{"parts": [{"text": "x" * 40}, {"inline_data": {"data": "a" * 4000}}]}], 275),
    "a call": ([{"parts": [{"text": "x" * 40}, {"functionCall": {"name": "f", "args": {}}}]}], 24),
    "a part of another form": ([{"parts": [{"text": 1}]}], 7),
    "a text alone": ("x" * 38, 11),
}


@pytest.mark.parametrize(("contents", "tokens"), WEIGHED.values(), ids=WEIGHED)
def test_a_conversation_weighs_the_same_with_tools_and_without(contents: Any, tokens: int) -> None:
    said = {"contents": contents}
    alone, beside = (json.dumps(each, separators=(",", ":")).encode() for each in (said, said | {"tools": [{}]}))
    assert read_request(alone, THERE).estimated_input_tokens() == tokens
    assert read_request(beside, THERE).estimated_input_tokens() == tokens + 1, "four bytes of tools are one more"
