"""A Messages request on the wire, every member that a translation reads. Members that are not named here become extras:
those of the body as it is read, those further inside where a form that allows no others fails (`strays`).

Content is kept in its bytes block by block: what a block may hold depends on its type.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

ABSENT = Raw(b"")
"""Stands where a member was left out: Raw takes no None."""


class CacheControl(Struct, frozen=True, forbid_unknown_fields=True):
    type: str = "ephemeral"
    ttl: str | None = None


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Raw] | None = None


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    text: str | None = None
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    citations: Raw = ABSENT
    id: str | None = None
    name: str | None = None
    input: Raw = ABSENT
    caller: Raw = ABSENT
    tool_use_id: str | None = None
    content: Raw = ABSENT
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    cache_control: CacheControl | None = None


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    role: str
    content: str | list[Raw]


class Tool(Struct, frozen=True):
    name: str | None = None
    type: str | None = None
    description: str | None = None
    input_schema: Raw = ABSENT
    strict: bool | None = None
    defer_loading: bool | None = None
    user_location: Raw = ABSENT
    cache_control: CacheControl | None = None


class ToolChoice(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class OutputFormat(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    schema: Raw = ABSENT


class OutputConfig(Struct, frozen=True):
    effort: str | None = None
    format: OutputFormat | None = None


class Metadata(Struct, frozen=True, forbid_unknown_fields=True):
    user_id: str | None = None


class Form(Struct, frozen=True):
    model: str
    max_tokens: int
    messages: list[Message]
    system: str | list[Raw] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: Metadata | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    tools: list[Raw] | None = None
    tool_choice: ToolChoice | None = None
    service_tier: str | None = None
    speed: str | None = None


def given(raw: Raw) -> Raw | None:
    """None for what was left out, or null."""
    return None if bytes(raw) in (b"", b"null") else raw


decode_form = msgspec.json.Decoder(Form).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
decode_block = msgspec.json.Decoder(Block).decode
decode_content = msgspec.json.Decoder(str | list[Raw]).decode
decode_list = msgspec.json.Decoder(list[Raw]).decode
decode_tool = msgspec.json.Decoder(Tool).decode
