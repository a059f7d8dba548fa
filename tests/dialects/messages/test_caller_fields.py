"""The official client's own types are the measure of the table of fields."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import anthropic.types as official
import pytest
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta

from gaiarouter.dialects.gemini.fields import SLOTS as GEMINI
from gaiarouter.dialects.messages import form
from gaiarouter.dialects.messages.fields import NESTED, SLOTS, TOP_LEVEL
from tests.dialects.official_types import paths, unclassified

NESTED_TYPES: list[tuple[str, Any]] = [
    *(
        ("messages[].content[].", block)
        for block in (
            official.TextBlockParam,
            official.ImageBlockParam,
            official.DocumentBlockParam,
            official.ToolUseBlockParam,
            official.ToolResultBlockParam,
            official.ThinkingBlockParam,
            official.RedactedThinkingBlockParam,
            official.SearchResultBlockParam,
        )
    ),
    ("tools[].", official.ToolParam),
    ("metadata.", official.MetadataParam),
    ("output_config.", official.OutputConfigParam),
]


def members(kind: Any) -> Iterator[str]:
    yield from typing.get_type_hints(kind)


@pytest.mark.parametrize("params", [message_create_params, beta], ids=["stable", "beta"])
def test_every_member_of_the_official_request_is_in_the_table(params: Any) -> None:
    found = {
        *members(params.MessageCreateParamsNonStreaming),
        *members(params.MessageCreateParamsStreaming),
    }
    assert found - TOP_LEVEL.keys() == set()


@pytest.mark.parametrize(("prefix", "kind"), NESTED_TYPES, ids=[f"{p}{kind.__name__}" for p, kind in NESTED_TYPES])
def test_every_nested_member_of_the_official_request_is_in_the_table(prefix: str, kind: Any) -> None:
    found = {f"{prefix}{name}" for name in members(kind) if name != "type"}
    assert found - NESTED.keys() == set()


# kinds of blocks and tools that are taken or refused as a whole, so that nothing in them has to be judged
WHOLE = re.compile(
    r"messages\[\]\.content\[\]\.(file_id|encrypted_content|from|to|mcp_server_name|server_name|tool)\b"
    r"|tools\[\]\.(allowed_domains|blocked_domains|citations|configs|max_characters|max_content_tokens|max_uses)\b"
    r"|tools\[\]\.(response_inclusion|url_sources|use_cache|user_location)\b"
)


def test_every_field_of_the_official_request_is_in_the_table_down_to_the_last() -> None:
    found = set(paths(message_create_params.MessageCreateParamsNonStreaming))
    assert len(found) > 400
    assert "messages[].content[].source.data" in found
    rest = unclassified(found, {*TOP_LEVEL, *NESTED})
    assert {path for path in rest if not WHOLE.match(path)} == set()
    assert {path for path in rest if WHOLE.match(path)}, "no exception any more"


def test_every_member_that_is_read_is_in_the_table() -> None:
    assert set(form.Form.__struct_fields__) <= TOP_LEVEL.keys()


@pytest.mark.parametrize("slots", [SLOTS, GEMINI], ids=["messages", "gemini"])
def test_every_field_leads_to_a_slot_with_a_rule_or_is_an_extra(slots: Any) -> None:
    named = {field.slot for field in (*TOP_LEVEL.values(), *NESTED.values())}
    assert named - {None} <= slots.keys()
