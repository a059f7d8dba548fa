"""Functions, the provider's own tools, and the choice among them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini import stream
from tests.dialects.gemini.send import (
    CITY,
    CLOCK,
    FLASH_2_0,
    FLASH_2_5,
    FLASH_3,
    USER,
    WEATHER,
    assistant,
    call,
    config,
    encode,
    function,
    losses,
    result,
    sent,
)

MODELS = (FLASH_2_0, FLASH_2_5, FLASH_3)


@pytest.mark.parametrize("model", MODELS)
def test_t13_all_functions_stand_in_one_tool(model: str) -> None:
    member = "parameters" if model == FLASH_2_0 else "parametersJsonSchema"
    described = function("add", CITY, description="Adds")
    assert sent(model, tools=[WEATHER, CLOCK, described])["tools"] == [
        {
            "functionDeclarations": [
                {"name": "get_weather", "description": "", member: CITY},
                {"name": "get_time", "description": ""},
                {"name": "add", "description": "Adds", member: CITY},
            ]
        }
    ]


EMPTY: list[Any] = [None, {}, {"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}]


@pytest.mark.parametrize("parameters", EMPTY)
def test_a_function_without_parameters_has_no_schema(parameters: Any) -> None:
    (tool,) = sent(tools=[function("f", parameters)])["tools"]
    assert tool == {"functionDeclarations": [{"name": "f", "description": ""}]}


def test_the_old_functions_are_functions() -> None:
    body = sent(functions=[{"name": "f", "parameters": CITY}], function_call={"name": "f"})
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "f"
    assert body["toolConfig"] == calling("ANY", "f")


def test_free_text_becomes_one_string_argument_and_comes_back_as_text() -> None:
    custom = {
        "type": "custom",
        "custom": {
            "name": "sql",
            "description": "Runs",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "G"}},
        },
    }
    encoded = encode(tools=[custom])
    (declared,) = json.loads(encoded.body)["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"]["required"] == ["input"]
    assert declared["description"] == "Runs\n\nThe input must match this lark grammar:\nG"
    answer = stream.whole(stream.response(stream.called("sql", {"input": "select"}), finish="STOP"), encoded.plan)
    (part,) = stream.only(answer).parts
    assert (part.kind, part.arguments) == ("custom", "select")  # type: ignore[union-attr]
    back = [
        USER,
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select"}}],
        },
        result("a"),
    ]
    assert sent(messages=back)["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": "select"}


def calling(mode: str, *names: str) -> dict[str, Any]:
    return {"functionCallingConfig": {"mode": mode} | ({"allowedFunctionNames": list(names)} if names else {})}


NAMED = {"type": "function", "function": {"name": "get_time"}}


def allowed(mode: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [NAMED]}}


CHOICES: list[tuple[Any, dict[str, Any]]] = [
    (None, calling("AUTO")),
    ("auto", calling("AUTO")),
    ("none", calling("NONE")),
    ("required", calling("ANY")),
    (NAMED, calling("ANY", "get_time")),
    (allowed("auto"), calling("VALIDATED", "get_time")),
    (allowed("required"), calling("ANY", "get_time")),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES, ids=[str(row[0])[:50] for row in CHOICES])
def test_t14_a_choice_of_functions_leaves_them_all_declared(choice: Any, expected: dict[str, Any]) -> None:
    body = sent(tools=[WEATHER, CLOCK], tool_choice=choice)
    assert body["toolConfig"] == expected
    assert len(body["tools"][0]["functionDeclarations"]) == 2


def test_older_models_are_given_only_the_functions_they_may_freely_choose() -> None:
    members: dict[str, Any] = {"tools": [WEATHER, CLOCK], "tool_choice": allowed("auto")}
    body = sent(FLASH_2_0, **members)
    assert body["toolConfig"] == calling("AUTO")
    assert [each["name"] for each in body["tools"][0]["functionDeclarations"]] == ["get_time"]
    assert losses(FLASH_2_0, **members) == {"tool_choice": "adapt"}


STRICT = function("a", CITY, strict=True)
STRICTNESS: list[tuple[str, list[Any], str, dict[str, str]]] = [
    (FLASH_3, [STRICT], "VALIDATED", {}),
    (FLASH_2_5, [STRICT, function("b", CITY, strict=True)], "VALIDATED", {}),
    (FLASH_2_5, [STRICT, WEATHER], "AUTO", {"tools[0]": "drop"}),
    (FLASH_2_0, [STRICT], "AUTO", {"tools[0]": "drop"}),
]


@pytest.mark.parametrize(("model", "tools", "mode", "lost"), STRICTNESS)
def test_functions_that_are_all_strict_are_validated(
    model: str, tools: list[Any], mode: str, lost: dict[str, str]
) -> None:
    assert sent(model, tools=tools)["toolConfig"] == calling(mode)
    assert losses(model, tools=tools) == lost


def test_a_choice_without_functions_is_not_sent() -> None:
    assert "toolConfig" not in sent(tool_choice="auto")
    assert "toolConfig" not in sent(tool_choice="none")
    with pytest.raises(InvalidRequest) as refused:
        encode(tool_choice="required")
    assert refused.value.param == "tool_choice"


def test_a_choice_of_an_unknown_function_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(tools=[WEATHER], tool_choice=NAMED)
    assert refused.value.param == "tool_choice"


def test_a_wish_for_single_calls_is_a_warning() -> None:
    assert losses(tools=[WEATHER], parallel_tool_calls=False) == {"parallel_tool_calls": "adapt"}
    assert losses(tools=[WEATHER], parallel_tool_calls=True) == {}


SEARCH: dict[str, Any] = {"target": {"web_search": True}, "web_search_options": {"search_context_size": "low"}}


def test_the_providers_search_is_used_where_the_route_lets_it() -> None:
    assert sent(**SEARCH)["tools"] == [{"googleSearch": {}}]
    with pytest.raises(InvalidRequest) as refused:
        encode(web_search_options={})
    assert refused.value.param == "web_search_options"


def test_the_providers_own_tools_stand_beside_functions_in_newer_models() -> None:
    body = sent(**SEARCH, tools=[WEATHER])
    assert [list(tool) for tool in body["tools"]] == [["googleSearch"], ["functionDeclarations"]]
    assert body["toolConfig"] == calling("AUTO") | {"includeServerSideToolInvocations": True}
    cloud: dict[str, Any] = {
        "web_search_options": {},
        "tools": [WEATHER],
        "target": {"web_search": True, "developer_api": False},
    }
    assert sent(**cloud)["toolConfig"] == calling("AUTO")
    with pytest.raises(InvalidRequest):
        encode(FLASH_2_5, **SEARCH, tools=[WEATHER])


def test_the_providers_own_tools_are_left_out_where_none_may_be_called() -> None:
    assert "tools" not in sent(**SEARCH, tool_choice="none")
    size = {"web_search_options.search_context_size": "drop"}
    assert losses(**SEARCH, tool_choice="none") == size | {"tool_choice": "adapt"}


@pytest.mark.parametrize("tool", [{"googleSearch": {}}, {"type": "code_execution", "code_execution": {}}])
def test_a_tool_in_the_providers_own_words_goes_on(tool: dict[str, Any]) -> None:
    assert sent(tools=[tool])["tools"] == [{name: value for name, value in tool.items() if name != "type"}]


@pytest.mark.parametrize(
    "tool", [{"type": "bash_20250124", "name": "bash"}, {"type": "file_search", "vector_store_ids": []}]
)
def test_another_providers_tool_is_refused(tool: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        encode(tools=[tool])
    assert refused.value.param == "tools[0]"


LONG = "x" * 140
NAMES = [
    (FLASH_3, "get.weather:now-1", "get.weather:now-1"),
    (FLASH_3, "9lives", "_9lives"),
    (FLASH_3, "wetter/größe", "wetter_gr__e"),
    (FLASH_3, LONG, "x" * 128),
    (FLASH_2_0, LONG, "x" * 64),
    (FLASH_3, "-a", "_-a"),
]


@pytest.mark.parametrize(("model", "name", "wire"), NAMES)
def test_t29_a_name_that_is_not_allowed_is_another_one_there_and_the_callers_here(
    model: str, name: str, wire: str
) -> None:
    messages = [USER, assistant(call("a", name)), result("a")]
    encoded = encode(
        model, tools=[function(name)], messages=messages, tool_choice={"type": "function", "function": {"name": name}}
    )
    body = json.loads(encoded.body)
    assert body["tools"][0]["functionDeclarations"][0]["name"] == wire
    assert body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [wire]
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == wire
    assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == wire
    answer = stream.streamed(stream.response(stream.called(wire, {}), finish="STOP"), plan=encoded.plan)
    assert [part.name for part in stream.only(answer).parts] == [name]  # type: ignore[union-attr]


def test_t29_names_that_begin_alike_do_not_collide() -> None:
    tools = [function(LONG + "a"), function(LONG + "b"), function("x" * 128)]
    names = [each["name"] for each in sent(tools=tools)["tools"][0]["functionDeclarations"]]
    assert names[2] == "x" * 128
    assert len(set(names)) == 3
    assert max(map(len, names)) == 128


@pytest.mark.parametrize("call_id", ["c" * 64, "toolu_01.a:b", "call_é", "9"])
def test_t28_ids_of_any_form_are_the_same_for_call_and_result(call_id: str) -> None:
    found = sent(messages=[USER, assistant(call(call_id)), result(call_id)])["contents"]
    assert found[1]["parts"][0]["functionCall"]["id"] == call_id
    assert found[2]["parts"][0]["functionResponse"]["id"] == call_id


def test_a_deep_or_endless_schema_is_refused_in_good_time() -> None:
    deep: Any = {"type": "string"}
    for _ in range(90):
        deep = {"type": "object", "properties": {"a": deep}}
    bomb = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/n0"}},
        "$defs": {
            **{
                f"n{n}": {"type": "object", "properties": {x: {"$ref": f"#/$defs/n{n + 1}"} for x in "abcd"}}
                for n in range(30)
            },
            "n30": {"type": "string"},
        },
    }
    for schema, model in ((deep, FLASH_3), (deep, FLASH_2_0), (bomb, FLASH_2_0)):
        with pytest.raises(InvalidRequest) as refused:
            encode(model, tools=[function("f", schema)])
        assert refused.value.param == "tools[0]"
    assert sent(tools=[function("f", bomb)])["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == bomb


OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "description": "D"}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT, "strict": True}}
FORMATS: list[tuple[str, Any, dict[str, Any]]] = [
    (FLASH_3, {"type": "text"}, {}),
    (FLASH_3, {"type": "json_object"}, {"responseMimeType": "application/json"}),
    (FLASH_3, JSON_SCHEMA, {"responseMimeType": "application/json", "responseJsonSchema": OBJECT}),
    (FLASH_2_5, JSON_SCHEMA, {"responseMimeType": "application/json", "responseJsonSchema": OBJECT}),
    (FLASH_2_0, JSON_SCHEMA, {"responseMimeType": "application/json", "responseSchema": OBJECT}),
]


@pytest.mark.parametrize(("model", "wish", "expected"), FORMATS)
def test_the_form_of_an_answer(model: str, wish: Any, expected: dict[str, Any]) -> None:
    assert config(model, response_format=wish) == expected
    assert losses(model, response_format=wish) == {}


def test_newer_models_are_held_to_a_form_beside_functions() -> None:
    assert config(response_format=JSON_SCHEMA, tools=[WEATHER])["responseJsonSchema"] == OBJECT


@pytest.mark.parametrize("wish", [JSON_SCHEMA, {"type": "json_object"}])
@pytest.mark.parametrize("model", [FLASH_2_0, FLASH_2_5])
def test_older_models_with_functions_are_told_the_form_in_words(model: str, wish: Any) -> None:
    body = sent(model, response_format=wish, tools=[WEATHER], messages=[{"role": "system", "content": "S"}, USER])
    assert "generationConfig" not in body
    system, told = (part["text"] for part in body["systemInstruction"]["parts"])
    assert system == "S"
    assert ("JSON Schema" in told) == (wish == JSON_SCHEMA)
    assert json.dumps(OBJECT) in told or wish != JSON_SCHEMA
    assert losses(model, response_format=wish, tools=[WEATHER]) == {"response_format": "adapt"}


def test_the_description_of_a_form_stands_in_its_schema() -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT, "description": "What"}}
    assert config(response_format=wish)["responseJsonSchema"]["description"] == "What\n\nD"


def test_a_form_that_need_not_be_exact_is_exact_all_the_same() -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT, "strict": False}}
    assert losses(response_format=wish) == {"response_format": "adapt"}
