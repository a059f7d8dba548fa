"""The official client's own types are the measure of the table of fields."""

from __future__ import annotations

import types
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
    assert found - NESTED.keys() == set()


def kinds(union: Any) -> Iterator[str]:
    """The `type` of each member of a union of items."""
    for item in typing.get_args(union):
        yield from _unwrapped(typing.get_type_hints(item, include_extras=False).get("type"))


def _unwrapped(hint: Any) -> Iterator[str]:
    if typing.get_origin(hint) is typing.Literal:
        yield from typing.get_args(hint)
    elif typing.get_origin(hint) in (typing.Union, types.UnionType):
        for inner in typing.get_args(hint):
            yield from _unwrapped(inner)


READ = {
    *("message", "reasoning", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output"),
}


def test_every_official_kind_of_item_is_read_or_kept() -> None:
    official = set(kinds(response_input_item_param.ResponseInputItemParam))
    assert len(official) > 20
    assert official - {*READ, *OPAQUE, *ISSUERS, "compaction_trigger"} == set()


def test_every_member_that_is_read_is_in_the_table() -> None:
    assert set(form.Form.__struct_fields__) <= TOP_LEVEL.keys()
    assert NEUTRAL.keys() <= TOP_LEVEL.keys()


@pytest.mark.parametrize("slots", [MESSAGES_SLOTS, GEMINI_SLOTS], ids=["messages", "gemini"])
def test_every_field_leads_to_a_slot_with_a_rule_or_is_an_extra(slots: Any) -> None:
    found = {field.slot for field in (*TOP_LEVEL.values(), *NESTED.values())}
    assert found - {None} <= slots.keys()
