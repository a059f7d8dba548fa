"""The official client's own types are the measure of the table of fields."""

from __future__ import annotations

import re
import typing
from typing import Any

import pytest
from google.genai import types

from gaiarouter.dialects.chat.fields import SLOTS as CHAT
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.fields import CONFIG, FIELDS, NESTED, SLOTS
from gaiarouter.dialects.messages.fields import SLOTS as MESSAGES
from gaiarouter.dialects.responses.fields import SLOTS as RESPONSES
from tests.dialects.official_types import paths, unmissed, unread

OF_THE_CLIENT = {"httpOptions", "shouldReturnHttpResponse", "automaticFunctionCalling"}
"""Members that never leave it."""
AT_THE_TOP = {
    *("systemInstruction", "safetySettings", "tools", "toolConfig", "labels", "cachedContent", "serviceTier"),
    *("store", "modelArmorConfig"),
}
"""Members of the client's one config that stand beside `generationConfig` in the request."""
NESTED_TYPES: list[tuple[str, Any]] = [
    ("contents[].", types.ContentDict),
    ("contents[].parts[].", types.PartDict),
    ("contents[].parts[].inlineData.", types.BlobDict),
    ("contents[].parts[].fileData.", types.FileDataDict),
    ("contents[].parts[].functionCall.", types.FunctionCallDict),
    ("contents[].parts[].functionResponse.", types.FunctionResponseDict),
    ("tools[].", types.ToolDict),
    ("tools[].functionDeclarations[].", types.FunctionDeclarationDict),
    ("toolConfig.", types.ToolConfigDict),
    ("toolConfig.functionCallingConfig.", types.FunctionCallingConfigDict),
    (f"{CONFIG}thinkingConfig.", types.ThinkingConfigDict),
]


SCHEMAS = frozenset(
    {
        f"{CONFIG}responseSchema",
        "tools[].functionDeclarations[].parameters",
    }
)
"""Read by the rules of schemas, which have a test of their own."""


def camel(name: str) -> str:
    """A member's name on the wire."""
    return re.sub(r"_(\w)", lambda found: found.group(1).upper(), name)


def members(kind: Any) -> set[str]:
    return {camel(name) for name in typing.get_type_hints(kind, vars(types))}


def test_every_member_of_the_official_request_is_in_the_table() -> None:
    config = members(types.GenerateContentConfigDict) - OF_THE_CLIENT
    inside = (config - AT_THE_TOP) | members(types.GenerationConfigDict)
    found = (config & AT_THE_TOP) | {CONFIG + name for name in inside}
    assert found - FIELDS.keys() == set()
    assert config >= AT_THE_TOP


@pytest.mark.parametrize(("prefix", "kind"), NESTED_TYPES, ids=[f"{p}{kind.__name__}" for p, kind in NESTED_TYPES])
def test_every_nested_member_of_the_official_request_is_in_the_table(prefix: str, kind: Any) -> None:
    found = {f"{prefix}{name}" for name in members(kind)}
    opened = {path for path in found if any(known.startswith((f"{path}.", f"{path}[")) for known in NESTED)}
    assert found - opened - NESTED.keys() == set()


def every_field() -> set[str]:
    """Of the official request, as it stands on the wire. The client makes a content of whatever the instruction is."""
    config = {
        path
        for path in paths(types.GenerateContentConfigDict, spelt=camel)
        if root(path) not in OF_THE_CLIENT | {"systemInstruction"}
    }
    return {
        *(path if root(path) in AT_THE_TOP else CONFIG + path for path in config),
        *(CONFIG + path for path in paths(types.GenerationConfigDict, spelt=camel)),
        *paths(types.ContentDict, "contents[]", spelt=camel),
        *paths(types.ContentDict, "systemInstruction", spelt=camel),
    }


def root(path: str) -> str:
    return re.split(r"[.\[]", path)[0]


def test_every_field_of_the_official_request_is_in_the_table_down_to_the_last() -> None:
    found = every_field()
    assert len(found) > 400
    assert "contents[].parts[].functionResponse.parts[].inlineData.data" in found
    assert unread(found, FIELDS | NESTED, whole=SCHEMAS) == set()


def test_a_field_that_leaves_the_table_is_missed() -> None:
    assert unmissed(every_field(), FIELDS | NESTED, whole=SCHEMAS) == set()


def test_every_member_that_is_read_is_in_the_table() -> None:
    read = {form.camel(name) for name in form.Form.__struct_fields__} - {"generationConfig"}
    inside = {CONFIG + form.camel(name) for name in form.Config.__struct_fields__}
    assert read | inside <= FIELDS.keys()


@pytest.mark.parametrize("slots", [SLOTS, CHAT, MESSAGES, RESPONSES], ids=["gemini", "chat", "messages", "responses"])
def test_every_field_leads_to_a_slot_with_a_rule_or_is_an_extra(slots: Any) -> None:
    named = {field.slot for field in (*FIELDS.values(), *NESTED.values())}
    assert named - {None} <= slots.keys()
