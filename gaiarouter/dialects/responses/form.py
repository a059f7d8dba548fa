"""A Responses request on the wire, every member that a translation reads. Members that are not named become
extras: those of the body as it is read, those further inside where a form that allows no others fails (`strays`).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.rawjson import compact

ABSENT = Raw(b"")
"""Stands where a member was left out: Raw takes no None."""


class Breakpoint(Struct, frozen=True):
    mode: str | None = None
    ttl: str | None = None


class InputAudio(Struct, frozen=True):
    data: str
    format: str | None = None


class Part(Struct, frozen=True):
    """Of a message's content, of a tool's output, or of thinking."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    detail: str | None = None
    input_audio: InputAudio | None = None
    annotations: list[Raw] | None = None
    logprobs: Raw = ABSENT
    prompt_cache_breakpoint: Breakpoint | None = None


class SentBreakpoint(Breakpoint, frozen=True, forbid_unknown_fields=True):
    """One of a caller's, as all that is called so."""


class SentAudio(InputAudio, frozen=True, forbid_unknown_fields=True):
    pass


class SentPart(Part, frozen=True, forbid_unknown_fields=True):
    input_audio: SentAudio | None = None
    prompt_cache_breakpoint: SentBreakpoint | None = None


class Annotation(Struct, frozen=True):
    type: str = ""
    url: str | None = None
    title: str | None = None
    filename: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Item(Struct, frozen=True):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[Raw] | None = None
    phase: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Raw = ABSENT
    input: str | None = None
    output: Raw = ABSENT
    summary: list[Part] | None = None
    encrypted_content: str | None = None


class SentItem(Item, frozen=True, forbid_unknown_fields=True):
    """What it has beside an Item came with a model's own words, and is sent back with them."""

    status: Raw = ABSENT
    caller: Raw = ABSENT


class CustomFormat(Struct, frozen=True):
    type: str
    syntax: str | None = None
    definition: str | None = None


class UserLocation(Struct, frozen=True):
    """Beside `type`, which is always `approximate`, it is what the canonical form holds."""

    city: str | None = None
    region: str | None = None
    country: str | None = None
    timezone: str | None = None


class Tool(Struct, frozen=True):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    defer_loading: bool | None = None
    format: CustomFormat | None = None
    tools: list[Raw] | None = None


class SentFormat(CustomFormat, frozen=True, forbid_unknown_fields=True):
    pass


class SentTool(Tool, frozen=True, forbid_unknown_fields=True):
    format: SentFormat | None = None


class NamedTool(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    name: str | None = None
    server_label: Raw = ABSENT


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    name: str | None = None
    server_label: Raw = ABSENT
    mode: str | None = None
    tools: list[NamedTool] | None = None


class TextFormat(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class TextForm(Struct, frozen=True):
    format: TextFormat | None = None
    verbosity: str | None = None


class ReasoningForm(Struct, frozen=True):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class CacheOptions(Struct, frozen=True):
    ttl: str | None = None


class Form(Struct, frozen=True):
    model: str
    input: str | list[Raw] | None = None
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = ABSENT
    parallel_tool_calls: bool | None = None
    text: TextForm | None = None
    reasoning: ReasoningForm | None = None
    include: list[str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: Raw = ABSENT
    service_tier: str | None = None
    prompt_cache_options: CacheOptions | None = None


def given(raw: Raw) -> Raw | None:
    """None for what was left out, or null."""
    return None if bytes(raw) in (b"", b"null") else raw


def text_of(raw: Raw) -> str:
    """A string; JSON in one, or (some clients and servers) as it is."""
    if given(raw) is None:
        return ""
    if bytes(raw).startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return compact(raw).decode()


decode_form = msgspec.json.Decoder(Form).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
decode_item = msgspec.json.Decoder(Item).decode
decode_sent_item = msgspec.json.Decoder(SentItem).decode
decode_sent_part = msgspec.json.Decoder(SentPart).decode
decode_sent_tool = msgspec.json.Decoder(SentTool).decode
decode_part = msgspec.json.Decoder(Part).decode
decode_annotation = msgspec.json.Decoder(Annotation).decode
decode_tool = msgspec.json.Decoder(Tool).decode
decode_choice = msgspec.json.Decoder(str | Choice).decode
decode_output = msgspec.json.Decoder(str | list[Raw]).decode
