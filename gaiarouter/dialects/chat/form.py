"""A Chat request on the wire, every member that a translation reads. Members that are not named here become extras:
those of the body as it is read, those further inside where a form that allows no others fails (`strays`).

Types are as wide as what callers send: null wherever a member may be left out, content as text or as parts, the
fields of OpenRouter and of Anthropic that have become common beside OpenAI's own.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

ABSENT = Raw(b"")
"""Stands where a member was left out: Raw takes no None."""


class CacheControl(Struct, frozen=True, forbid_unknown_fields=True):
    type: str = "ephemeral"
    ttl: str | None = None


class Breakpoint(Struct, frozen=True, forbid_unknown_fields=True):
    mode: str = "explicit"
    ttl: str | None = None


class ImageUrl(Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    detail: str | None = None


class InputAudio(Struct, frozen=True, forbid_unknown_fields=True):
    data: str
    format: str | None = None


class File(Struct, frozen=True, forbid_unknown_fields=True):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class VideoUrl(Struct, frozen=True, forbid_unknown_fields=True):
    url: str


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None
    file: File | None = None
    video_url: VideoUrl | str | None = None
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class CalledFunction(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    arguments: Raw = ABSENT


class CalledCustom(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    input: str = ""


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """index: of its place in a stream, sent back with it."""

    id: str | None = None
    type: str | None = None
    function: CalledFunction | None = None
    custom: CalledCustom | None = None
    index: Raw = ABSENT


class Detail(Struct, frozen=True):
    """One of `reasoning_details`, or a fragment of one."""

    type: str
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None
    position: int | None = None


class ThinkingBlock(Struct, frozen=True):
    type: str
    thinking: str = ""
    signature: str | None = None
    data: str | None = None


class ProviderBlock(Struct, frozen=True):
    """A block of an earlier answer that only its own dialect knows, sent back as it came."""

    dialect: str
    block: Raw


class BlockKind(Struct, frozen=True):
    type: str = ""


class AudioRef(Struct, frozen=True):
    id: str


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """annotations, citations: of a model's own text, sent back with it."""

    role: str
    content: str | list[Raw] | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    function_call: CalledFunction | None = None
    audio: AudioRef | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Detail] | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    provider_blocks: list[ProviderBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    annotations: Raw = ABSENT
    citations: Raw = ABSENT


class Function(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: Raw = ABSENT
    strict: bool | None = None
    cache_control: CacheControl | None = None


class GrammarForm(Struct, frozen=True, forbid_unknown_fields=True):
    definition: str
    syntax: str


class CustomFormat(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    grammar: GrammarForm | None = None


class Custom(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    format: CustomFormat | None = None


class Tool(Struct, frozen=True, forbid_unknown_fields=True):
    type: str | None = None
    name: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    cache_control: CacheControl | None = None
    defer_loading: bool | None = None


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class AllowedTool(Struct, frozen=True, forbid_unknown_fields=True):
    type: str = "function"
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None


class AllowedTools(Struct, frozen=True, forbid_unknown_fields=True):
    tools: list[AllowedTool]
    mode: str = "auto"


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """`tool_choice` as an object, or `function_call`."""

    type: str | None = None
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class SchemaForm(Struct, frozen=True, forbid_unknown_fields=True):
    name: str | None = None
    description: str | None = None
    schema: Raw = ABSENT
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    json_schema: SchemaForm | None = None


class ReasoningForm(Struct, frozen=True, forbid_unknown_fields=True):
    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class ThinkingForm(Struct, frozen=True, forbid_unknown_fields=True):
    type: str | None = None
    budget_tokens: int | None = None
    display: str | None = None


class StreamOptions(Struct, frozen=True, forbid_unknown_fields=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CacheOptions(Struct, frozen=True, forbid_unknown_fields=True):
    mode: str | None = None
    ttl: str | None = None


class UserLocation(Struct, frozen=True, forbid_unknown_fields=True):
    type: str | None = None
    approximate: Raw = ABSENT


class WebSearch(Struct, frozen=True, forbid_unknown_fields=True):
    search_context_size: str | None = None
    user_location: UserLocation | None = None


class Form(Struct, frozen=True):
    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    logit_bias: Raw = ABSENT
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Raw] | None = None
    functions: list[Function] | None = None
    tool_choice: str | Choice | None = None
    function_call: str | Choice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: ReasoningForm | None = None
    include_reasoning: bool | None = None
    thinking: ThinkingForm | None = None
    verbosity: str | None = None
    modalities: list[str] | None = None
    audio: Raw = ABSENT
    user: str | None = None
    safety_identifier: str | None = None
    metadata: Raw = ABSENT
    service_tier: str | None = None
    prompt_cache_options: CacheOptions | None = None
    web_search_options: WebSearch | None = None


def given(raw: Raw) -> Raw | None:
    """None for what was left out, or null."""
    return None if bytes(raw) in (b"", b"null") else raw


decode_form = msgspec.json.Decoder(Form).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
decode_part = msgspec.json.Decoder(Part | str).decode
decode_kind = msgspec.json.Decoder(BlockKind).decode
decode_tool = msgspec.json.Decoder(Tool).decode
