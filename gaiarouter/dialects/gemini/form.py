"""A Gemini request on the wire, every member that a translation reads. Members that are not named here become extras:
those of the body as it is read, those further inside where a form that allows no others fails (`strays`).

The API takes each name in camelCase and in snake_case: `read` does too. What is the caller's own (schemas, arguments,
results) is kept in its bytes.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.dialects.strays import Strays
from gaiarouter.errors import InvalidRequest

ABSENT = Raw(b"")
"""Stands where a member was left out: Raw takes no None."""


class Blob(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    mime_type: str | None = None
    data: str | None = None


class File(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    file_uri: str | None = None
    mime_type: str | None = None


class FunctionCall(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    id: str | None = None
    name: str | None = None
    args: Raw = ABSENT


class FunctionResponse(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    id: str | None = None
    name: str | None = None
    response: Raw = ABSENT
    parts: list[Raw] | None = None


class Resolution(Struct, frozen=True, forbid_unknown_fields=True):
    level: str | None = None


class Part(Struct, frozen=True, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Raw = ABSENT
    file_data: Raw = ABSENT
    function_call: Raw = ABSENT
    function_response: Raw = ABSENT
    media_resolution: Resolution | None = None


class Content(Struct, frozen=True, forbid_unknown_fields=True):
    role: str | None = None
    parts: Raw = ABSENT


class Thinking(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    thinking_budget: int | None = None
    thinking_level: str | None = None
    include_thoughts: bool | None = None


class Config(Struct, frozen=True, rename="camel"):
    """`generationConfig`."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop_sequences: list[str] | None = None
    candidate_count: int | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_modalities: list[str] | None = None
    response_mime_type: str | None = None
    response_schema: Raw = ABSENT
    response_json_schema: Raw = ABSENT
    thinking_config: Raw = ABSENT


class Declaration(Struct, frozen=True, rename="camel"):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    parameters_json_schema: Raw = ABSENT


class Calling(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`functionCallingConfig`."""

    mode: str | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(Struct, frozen=True, rename="camel"):
    function_calling_config: Raw = ABSENT


class Form(Struct, frozen=True, rename="camel"):
    contents: Raw
    system_instruction: Raw = ABSENT
    generation_config: Raw = ABSENT
    tools: Raw = ABSENT
    tool_config: Raw = ABSENT
    service_tier: str | None = None


FUNCTION_MEMBERS = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
"""Of a declaration, those that other formats know too."""

_Struct = TypeVar("_Struct", bound=Struct)
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_AFTER_GAP = re.compile(r"_([a-z0-9])")


def read(raw: Raw | bytes, kind: type[_Struct], path: str = "", strays: Strays | None = None) -> _Struct:
    """strays: takes the members that `kind` has not. Raises InvalidRequest with the path of the first wrong field."""
    spelt = _in_one_spelling(raw, path)
    try:
        return msgspec.json.decode(spelt, type=kind)
    except msgspec.ValidationError:
        return (strays or Strays()).read(spelt, kind, path)


def members(raw: Raw | bytes, path: str = "") -> dict[str, Raw]:
    """Those that are not null, by their names in camelCase. Raises InvalidRequest."""
    found: dict[str, Raw] = {}
    for name, value in _decoded_members(raw, path).items():
        spelt = camel(name)
        if spelt in found:
            text = f"`{_inside(path, spelt)}` is given twice, in two spellings"
            raise InvalidRequest(text, code="invalid_json", param=_inside(path, spelt))
        found[spelt] = value
    return {name: value for name, value in found.items() if bytes(value) != b"null"}


def items(raw: Raw, path: str) -> list[Raw]:
    """A list, or the one thing that stands in place of a list of one. Raises InvalidRequest."""
    if not bytes(raw).startswith(b"["):
        return [raw]
    try:
        return _decode_list(raw)
    except msgspec.ValidationError as error:
        raise wrong_field(str(error), inside=path) from None


def given(raw: Raw) -> Raw | None:
    """None for what was left out, or null."""
    return None if bytes(raw) in (b"", b"null") else raw


def text_of(raw: Raw) -> str | None:
    """The text that a JSON string is."""
    return msgspec.json.decode(raw, type=str) if bytes(raw).startswith(b'"') else None


def camel(name: str) -> str:
    return _AFTER_GAP.sub(lambda found: found.group(1).upper(), name) if "_" in name else name


def _in_one_spelling(raw: Raw | bytes, path: str) -> bytes:
    data = bytes(raw)
    if b"_" not in data or not any("_" in name for name in _decoded_members(data, path)):
        return data
    return msgspec.json.encode(members(raw, path))


def _decoded_members(raw: Raw | bytes, path: str) -> dict[str, Raw]:
    try:
        return _decode_members(raw)
    except msgspec.ValidationError as error:
        raise wrong_field(str(error), inside=path) from None


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
