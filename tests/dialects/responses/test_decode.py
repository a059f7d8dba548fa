"""A Responses request as turns, tools and settings; what cannot be read, or must not go elsewhere, is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaiarouter.canonical.parts import (
    Base64,
    Cache,
    Document,
    FileRef,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from gaiarouter.canonical.request import CanonicalRequest, Grammar, JsonSchema, ToolChoice
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.responses.decode import decode_request
from gaiarouter.errors import InvalidRequest

FOREIGN = MessagesTarget(CapabilityTable())


def read(**members: Any) -> CanonicalRequest:
    return decode_request(json.dumps({"model": "x", "input": "Hi"} | members).encode())


def parts(*items: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(turn.role, part) for turn in read(input=list(items)).turns for part in turn.parts]


SCHEMA = {"type": "object", "properties": {}}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{ }"}
ITEMS: list[tuple[dict[str, Any], str, Any]] = [
    ({"role": "user", "content": "Hi"}, "user", Text(text="Hi", path="input[0].content")),
    (
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A"}]},
        "assistant",
        Text(text="A", path="input[0].content[0]"),
    ),
    (
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]},
        "assistant",
        Refusal(text="No", path="input[0].content[0]"),
    ),
    (
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://a/b.png", "detail": "low"}]},
        "user",
        Image(source=Url("https://a/b.png"), detail="low", path="input[0].content[0]"),
    ),
    (
        {"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]},
        "user",
        Image(source=FileRef("file-1"), path="input[0].content[0]"),
    ),
    (
        {
            "role": "user",
            "content": [
                {
                    "type": "input_file",
                    "filename": "a.pdf",
                    "file_data": "data:application/pdf;base64,AAAA",
                    "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"},
                }
            ],
        },
        "user",
        Document(
            source=Base64("application/pdf", "AAAA"), filename="a.pdf", cache=Cache("30m"), path="input[0].content[0]"
        ),
    ),
    (
        CALL,
        "assistant",
        ToolCall(
            call_id="call_1",
            name="f",
            arguments="{ }",
            item_id="fc_1",
            path="input[0]",
            arguments_path="input[0].arguments",
        ),
    ),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "1+1"},
        "assistant",
        ToolCall(
            call_id="c", name="f", arguments="1+1", kind="custom", path="input[0]", arguments_path="input[0].input"
        ),
    ),
    (
        CALL | {"namespace": "n"},
        "assistant",
        ToolCall(
            call_id="call_1",
            name="n__f",
            arguments="{ }",
            item_id="fc_1",
            namespace="n",
            path="input[0]",
            arguments_path="input[0].arguments",
        ),
    ),
    (
        {"type": "function_call_output", "call_id": "call_1", "output": "42"},
        "user",
        ToolResult(call_id="call_1", content="42", path="input[0]"),
    ),
    (
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "42"}]},
        "user",
        ToolResult(call_id="c", content=(Text(text="42", path="input[0].output[0]"),), path="input[0]"),
    ),
    (
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "S"}],
            "content": [{"type": "reasoning_text", "text": "T"}],
            "encrypted_content": "E",
        },
        "assistant",
        Reasoning(
            visible=("T",),
            summary=("S",),
            sealed=(Sealed("encrypted", "openai-responses-v1", "E"),),
            format="openai-responses-v1",
            id="rs_1",
            path="input[0]",
        ),
    ),
]


@pytest.mark.parametrize(("item", "role", "part"), ITEMS, ids=lambda value: str(value)[:40])
def test_an_item_is_a_turn(item: dict[str, Any], role: str, part: Any) -> None:
    assert parts(item) == [(role, part)]


OPAQUE = (
    *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_list_tools"),
    *("mcp_call", "mcp_approval_request", "mcp_approval_response", "tool_search_call", "tool_search_output"),
    *("additional_tools", "configuration_update", "program", "program_output", "something_new"),
)
ISSUERS = (
    *("item_reference", "compaction", "computer_call", "computer_call_output", "local_shell_call"),
    *("local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output"),
)


@pytest.mark.parametrize("kind", [*OPAQUE, *ISSUERS])
def test_an_item_that_only_its_maker_knows_is_kept_as_it_is_spelt(kind: str) -> None:
    (turn,) = decode_request(b'{"model":"x","input":[{"type": "' + kind.encode() + b'", "n":1.0}]}').turns
    assert isinstance(turn.parts[0], Opaque)
    assert bytes(turn.parts[0].raw) == b'{"type": "' + kind.encode() + b'", "n":1.0}'


def prepare(**members: Any) -> Any:
    return FOREIGN.prepare(read(**members), model="claude-sonnet-4", strict=False)


USER = {"role": "user", "content": "Hi"}
ANSWERED = [CALL, {"type": "function_call_output", "call_id": "call_1", "output": "42"}]
STATE: list[tuple[dict[str, Any], str]] = [
    ({"store": True}, "store"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"background": True}, "background"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"context_management": [{"type": "compaction"}]}, "context_management[0]"),
    (
        {"input": [USER, {"type": "reasoning", "summary": [], "encrypted_content": "E"}, *ANSWERED]},
        "input[1].encrypted_content",
    ),
    ({"input": [USER, {"id": "msg_1"}]}, "input[1]"),
    *(({"input": [USER, {"type": kind, "id": "x"}]}, "input[1]") for kind in ISSUERS),
    ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0]"),
]


@pytest.mark.parametrize(("members", "path"), STATE, ids=[f"{path}-{n}" for n, (_, path) in enumerate(STATE)])
def test_what_its_issuer_keeps_goes_to_nobody_else(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prepare(**members)
    assert (caught.value.status, caught.value.param) == (400, path)


LESS: list[tuple[dict[str, Any], list[str]]] = [
    ({"store": False, "background": False, "truncation": "disabled"}, []),
    ({"truncation": "auto"}, ["truncation"]),
    ({"include": ["reasoning.encrypted_content"]}, ["include"]),
    ({"max_tool_calls": 3, "moderation": {"model": "m"}}, ["max_tool_calls", "moderation"]),
    ({"reasoning": {"mode": "pro", "context": "auto"}}, ["reasoning.mode", "reasoning.context"]),
    ({"a_new_member": 1}, ["a_new_member"]),
    ({"input": [USER, {"type": "web_search_call", "id": "ws_1"}, *ANSWERED]}, ["input[1]"]),
]


@pytest.mark.parametrize(("members", "paths"), LESS)
def test_what_changes_no_answer_is_left_out_and_told(members: dict[str, Any], paths: list[str]) -> None:
    assert sorted(loss.path for loss in prepare(**members).losses) == sorted(paths)


def test_instructions_come_first_and_system_messages_stay_where_they_are() -> None:
    items = [
        {"role": "developer", "content": "B"},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": [{"type": "input_text", "text": "C"}]},
    ]
    request = read(instructions="A", input=items)
    assert [(each.text, each.origin) for each in request.instructions] == [("A", "top_level"), ("B", "developer")]
    assert [turn.role for turn in request.turns] == ["user", "system"]


def test_settings() -> None:
    request = read(
        stream=True,
        max_output_tokens=99,
        temperature=0,
        top_p=0.5,
        top_logprobs=2,
        include=["message.output_text.logprobs"],
        parallel_tool_calls=False,
        reasoning={"effort": "high", "summary": "detailed"},
        service_tier="flex",
        safety_identifier="me",
        user="other",
        metadata={"a": "b"},
        text={"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
    )
    assert (request.stream, request.max_output_tokens, request.parallel_tool_calls) == (True, 99, False)
    assert (request.sampling.temperature, request.sampling.top_p) == (0, 0.5)
    assert (request.sampling.logprobs, request.sampling.top_logprobs) == (True, 2)
    assert (request.thinking.mode, request.thinking.effort, request.thinking.summary) == ("effort", "high", "detailed")
    assert (request.thinking.visible, request.tier, request.end_user) == ("summary", "flex", "me")
    assert isinstance(request.output.format, JsonSchema)
    assert (request.output.format.name, request.output.format.strict, request.output.verbosity) == ("n", True, "low")
    assert request.paths["output.format"] == "text.format"
    assert request.paths["sampling.logprobs"] == "include"


def test_what_was_not_said_stays_unsaid() -> None:
    request = read(temperature=None, tools=None, reasoning=None, text=None, include=None, metadata=None)
    assert request == read()
    assert (request.sampling.temperature, request.thinking.mode, request.tool_choice) == (None, None, None)


def test_tools_of_every_kind() -> None:
    function = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    custom = {"type": "custom", "name": "c", "format": grammar}
    space = {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "get"}]}
    tools = read(tools=[function, custom, space, {"type": "mcp", "server_label": "s"}]).tools
    assert [(tool.kind, tool.name, tool.strict) for tool in tools] == [
        ("function", "f", True),
        ("custom", "c", None),
        ("function", "crm__get", None),
        ("hosted", "mcp", None),
    ]
    assert tools[1].grammar == Grammar("lark", "start: A")
    assert tools[2].path == "tools[2].tools[0]"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("named", ("f",))),
        ({"type": "custom", "name": "f"}, ToolChoice("named", ("f",))),
        ({"type": "file_search"}, ToolChoice("named", ("file_search",))),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "mcp"}],
            },
            ToolChoice("allowed", ("f", "mcp"), required=True),
        ),
    ],
)
def test_choices_of_tools(choice: Any, expected: ToolChoice) -> None:
    assert read(tool_choice=choice).tool_choice == expected


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"input": [{"role": "user", "content": [{"type": 3}]}]}, "input[0].content[0].type"),
    ({"input": [{"role": "user", "content": 3}]}, "input[0].content"),
    ({"input": [{"role": "pirate", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].file_data"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": 3}]}, "input[0].output"),
    ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
    ({"input": [{"type": "function_call", "call_id": "f"}]}, "input[0].name"),
    ({"tools": [{"type": "function"}]}, "tools[0].name"),
    ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": 3}]}]}, "tools[0].tools[0].type"),
    ({"tool_choice": "perhaps"}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice"),
    ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
    ({"text": {"format": {"type": "poem"}}}, "text.format.type"),
    ({"reasoning": {"effort": 3}}, "reasoning.effort"),
]


@pytest.mark.parametrize(("members", "path"), WRONG)
def test_what_cannot_be_read_is_refused_by_its_path(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**members)
    assert (caught.value.status, caught.value.param) == (400, path)
