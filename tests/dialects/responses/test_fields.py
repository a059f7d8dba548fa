"""The official client's own types are the measure of the table of fields."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.responses import (
    custom_tool_param,
    function_tool_param,
    namespace_tool_param,
    response_create_params,
    response_input_item_param,
    tool_param,
)
from openai.types.responses.easy_input_message_param import EasyInputMessageParam
from openai.types.responses.response_custom_tool_call_output_param import ResponseCustomToolCallOutputParam
from openai.types.responses.response_custom_tool_call_param import ResponseCustomToolCallParam
from openai.types.responses.response_format_text_json_schema_config_param import (
    ResponseFormatTextJSONSchemaConfigParam,
)
from openai.types.responses.response_function_tool_call_param import ResponseFunctionToolCallParam
from openai.types.responses.response_input_audio_param import ResponseInputAudioParam
from openai.types.responses.response_input_file_param import ResponseInputFileParam
from openai.types.responses.response_input_image_param import ResponseInputImageParam
from openai.types.responses.response_input_text_param import ResponseInputTextParam
from openai.types.responses.response_output_message_param import ResponseOutputMessageParam
from openai.types.responses.response_output_refusal_param import ResponseOutputRefusalParam
from openai.types.responses.response_output_text_param import ResponseOutputTextParam
from openai.types.responses.response_reasoning_item_param import ResponseReasoningItemParam
from openai.types.responses.response_text_config_param import ResponseTextConfigParam
from openai.types.shared_params.reasoning import Reasoning

from gaiarouter.dialects.gemini.fields import SLOTS as GEMINI_SLOTS
from gaiarouter.dialects.messages.fields import SLOTS as MESSAGES_SLOTS
from gaiarouter.dialects.responses import form
from gaiarouter.dialects.responses.fields import NESTED, NEUTRAL, TOP_LEVEL
from tests.dialects.official_types import paths, types_of, unmissed, unread
from tests.dialects.responses.test_decode import ISSUERS, OPAQUE

NESTED_TYPES: list[tuple[str, Any]] = [
    ("text.", ResponseTextConfigParam),
    ("text.format.", ResponseFormatTextJSONSchemaConfigParam),
    ("reasoning.", Reasoning),
    *(
        ("input[].", item)
        for item in (
            EasyInputMessageParam,
            response_input_item_param.Message,
            response_input_item_param.FunctionCallOutput,
            ResponseOutputMessageParam,
            ResponseFunctionToolCallParam,
            ResponseCustomToolCallParam,
            ResponseCustomToolCallOutputParam,
            ResponseReasoningItemParam,
        )
    ),
    *(
        ("input[].content[].", part)
        for part in (
            ResponseInputTextParam,
            ResponseInputImageParam,
            ResponseInputFileParam,
            ResponseInputAudioParam,
            ResponseOutputTextParam,
            ResponseOutputRefusalParam,
        )
    ),
    ("tools[].", function_tool_param.FunctionToolParam),
    ("tools[].", custom_tool_param.CustomToolParam),
    ("tools[].", namespace_tool_param.NamespaceToolParam),
]


def members(kind: Any) -> Iterator[str]:
    yield from typing.get_type_hints(kind)


def test_every_member_of_the_official_request_is_in_the_table() -> None:
    official = {
        *members(response_create_params.ResponseCreateParamsNonStreaming),
        *members(response_create_params.ResponseCreateParamsStreaming),
    }
    assert len(official) > 25
    assert official - TOP_LEVEL.keys() == set()


@pytest.mark.parametrize(
    ("prefix", "kind"), NESTED_TYPES, ids=[f"{prefix}{kind.__name__}" for prefix, kind in NESTED_TYPES]
)
def test_every_nested_member_of_the_official_request_is_in_the_table(prefix: str, kind: Any) -> None:
    found = {f"{prefix}{name}" for name in members(kind) if name != "type"}
    opened = {path for path in found if any(known.startswith((f"{path}.", f"{path}[")) for known in NESTED)}
    assert found - opened - NESTED.keys() == set()


def every_field() -> set[str]:
    """Of the official request. An item or a tool that the table has as a whole is not looked into."""
    kinds = {name for name in NESTED if "[type=" in name}
    official = (
        response_create_params.ResponseCreateParamsNonStreaming,
        response_create_params.ResponseCreateParamsStreaming,
    )
    return {path for kind in official for path in paths(kind, kinds=kinds)}


def test_every_field_of_the_official_request_is_in_the_table_down_to_the_last() -> None:
    found = every_field()
    assert len(found) > 150
    assert "input[].output[].file_data" in found
    assert "tools[type=mcp]" in found
    assert unread(found, TOP_LEVEL | NESTED, whole=()) == set()


def test_a_field_that_leaves_the_table_is_missed() -> None:
    """An item or a tool that leaves it is missed by the tests of kinds."""
    rows = {name: field for name, field in (TOP_LEVEL | NESTED).items() if "[type=" not in name}
    assert unmissed(every_field(), rows, whole=()) == set()


READ = {
    *("message", "reasoning", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output"),
}


def test_every_official_kind_of_item_is_read_or_kept_and_has_its_row() -> None:
    official = {
        kind for item in typing.get_args(response_input_item_param.ResponseInputItemParam) for kind in types_of(item)
    }
    assert len(official) > 20
    assert official - {*READ, *OPAQUE, *ISSUERS, "compaction_trigger"} == set()
    assert {kind for kind in official - READ if f"input[type={kind}]" not in NESTED} == set()


def test_every_official_kind_of_tool_is_read_or_has_its_row() -> None:
    official = {kind for tool in typing.get_args(tool_param.ToolParam) for kind in types_of(tool)}
    assert len(official) > 10
    rows = {name.removeprefix("tools[type=").removesuffix("]") for name in NESTED if name.startswith("tools[type=")}
    assert official - {"function", "custom", "namespace"} == rows


def test_every_member_that_is_read_is_in_the_table() -> None:
    assert set(form.Form.__struct_fields__) <= TOP_LEVEL.keys()
    assert NEUTRAL.keys() <= TOP_LEVEL.keys()


@pytest.mark.parametrize("slots", [MESSAGES_SLOTS, GEMINI_SLOTS], ids=["messages", "gemini"])
def test_every_field_leads_to_a_slot_with_a_rule_or_is_an_extra(slots: Any) -> None:
    found = {field.slot for field in (*TOP_LEVEL.values(), *NESTED.values())}
    assert found - {None} <= slots.keys()
