"""Answers of the Gemini format on the wire, as far as they are read. Everything else is kept or passed over.

Types are as wide as what servers of this format send: any member may be null or missing, and words of an enumeration
may be their numbers.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

ABSENT = Raw(b"")


class FunctionCall(Struct, gc=False, rename="camel"):
    id: str | None = None
    name: str | None = None
    args: Raw = ABSENT


class Blob(Struct, gc=False, rename="camel"):
    mime_type: str | None = None
    data: str | None = None


class Part(Struct, gc=False, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None


class Content(Struct, gc=False):
    parts: list[Raw] | None = None


class Web(Struct, gc=False):
    uri: str | None = None
    title: str | None = None


class Chunk(Struct, gc=False, rename="camel"):
    web: Web | None = None
    retrieved_context: Web | None = None
    maps: Web | None = None


class Segment(Struct, gc=False, rename="camel"):
    """start_index, end_index: bytes of UTF-8."""

    part_index: int | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class Support(Struct, gc=False, rename="camel"):
    segment: Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class Grounding(Struct, gc=False, rename="camel"):
    grounding_chunks: list[Raw] | None = None
    grounding_supports: list[Support] | None = None


class Quotation(Struct, gc=False, rename="camel"):
    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None


class Quotations(Struct, gc=False):
    citations: list[Raw] | None = None


class Token(Struct, gc=False, rename="camel"):
    token: str | None = None
    log_probability: float | None = None


class TopTokens(Struct, gc=False):
    candidates: list[Token] | None = None


class Logprobs(Struct, gc=False, rename="camel"):
    chosen_candidates: list[Token] | None = None
    top_candidates: list[TopTokens] | None = None


class Candidate(Struct, gc=False, rename="camel"):
    index: int | None = None
    content: Content | None = None
    finish_reason: str | int | None = None
    finish_message: str | None = None
    grounding_metadata: Grounding | None = None
    citation_metadata: Quotations | None = None
    logprobs_result: Logprobs | None = None


class PromptFeedback(Struct, gc=False, rename="camel"):
    block_reason: str | int | None = None
    block_reason_message: str | None = None


class Response(Struct, gc=False, rename="camel"):
    """A whole answer, or what one event of a stream adds."""

    response_id: str | None = None
    model_version: str | None = None
    create_time: str | None = None
    candidates: list[Raw] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Raw = ABSENT
    error: Raw = ABSENT


decode_response = msgspec.json.Decoder(Response).decode
decode_candidate = msgspec.json.Decoder(Candidate).decode
decode_part = msgspec.json.Decoder(Part).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_quotation = msgspec.json.Decoder(Quotation).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
decode_list = msgspec.json.Decoder(list[Raw]).decode


def is_given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")
