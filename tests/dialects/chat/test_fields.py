"""The official client's own types are the measure of the table of fields."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartImageParam,
    ChatCompletionContentPartInputAudioParam,
    ChatCompletionContentPartRefusalParam,
    ChatCompletionContentPartTextParam,
    ChatCompletionCustomToolParam,
    ChatCompletionDeveloperMessageParam,
    ChatCompletionFunctionMessageParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionStreamOptionsParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionToolMessageParam,
    ChatCompletionUserMessageParam,
    completion_create_params,
)
from openai.types.chat.chat_completion_content_part_image_param import ImageURL
from openai.types.chat.chat_completion_content_part_param import File, FileFile
from openai.types.chat.chat_completion_custom_tool_param import Custom
from openai.types.shared_params import FunctionDefinition, ResponseFormatJSONSchema
from openai.types.shared_params.response_format_json_schema import JSONSchema

from gaiarouter.dialects.chat import form
from gaiarouter.dialects.chat.fields import NESTED, TOP_LEVEL
from tests.dialects.official_types import paths, unclassified

NESTED_TYPES: list[tuple[str, Any]] = [
    ("stream_options.", ChatCompletionStreamOptionsParam),
    *(
        ("messages[].", message)
        for message in (
            ChatCompletionSystemMessageParam,
            ChatCompletionDeveloperMessageParam,
            ChatCompletionUserMessageParam,
            ChatCompletionAssistantMessageParam,
            ChatCompletionToolMessageParam,
            ChatCompletionFunctionMessageParam,
        )
    ),
    *(
        ("messages[].content[].", part)
        for part in (
            ChatCompletionContentPartTextParam,
            ChatCompletionContentPartRefusalParam,
            ChatCompletionContentPartImageParam,
            ChatCompletionContentPartInputAudioParam,
            File,
        )
    ),
    ("messages[].content[].image_url.", ImageURL),
    ("messages[].content[].file.", FileFile),
    ("tools[].", ChatCompletionFunctionToolParam),
    ("tools[].", ChatCompletionCustomToolParam),
    ("tools[].function.", FunctionDefinition),
    ("tools[].custom.", Custom),
    ("response_format.", ResponseFormatJSONSchema),
    ("response_format.json_schema.", JSONSchema),
    ("web_search_options.", completion_create_params.WebSearchOptions),
]


def members(kind: Any) -> Iterator[str]:
    yield from typing.get_type_hints(kind)


def test_every_member_of_the_official_request_is_in_the_table() -> None:
    official = {
        *members(completion_create_params.CompletionCreateParamsNonStreaming),
        *members(completion_create_params.CompletionCreateParamsStreaming),
    }
    assert official - TOP_LEVEL.keys() == set()


@pytest.mark.parametrize(
    ("prefix", "kind"), NESTED_TYPES, ids=[f"{prefix}{kind.__name__}" for prefix, kind in NESTED_TYPES]
)
def test_every_nested_member_of_the_official_request_is_in_the_table(prefix: str, kind: Any) -> None:
    # `type` only tells kinds apart; a member that is looked into is classified by its own members
    found = {f"{prefix}{name}" for name in members(kind) if name != "type"}
    opened = {path for path in found if any(known.startswith((f"{path}.", f"{path}[")) for known in NESTED)}
    assert found - opened - NESTED.keys() == set()


def test_every_field_of_the_official_request_is_in_the_table_down_to_the_last() -> None:
    kinds = (
        completion_create_params.CompletionCreateParamsNonStreaming,
        completion_create_params.CompletionCreateParamsStreaming,
    )
    found = {path for kind in kinds for path in paths(kind)}
    assert len(found) > 120
    assert "messages[].content[].file.file_data" in found
    assert unclassified(found, {*TOP_LEVEL, *NESTED}) == set()


def test_every_member_that_is_read_is_in_the_table() -> None:
    assert set(form.Form.__struct_fields__) <= TOP_LEVEL.keys()
