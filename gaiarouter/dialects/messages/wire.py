"""Answers of the Messages format on the wire, as far as they are read. Everything else is kept or passed over.

Types are as wide as what servers of this format send: any member may be null or missing.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

ABSENT = Raw(b"")


class StopDetails(Struct, gc=False):
    category: str | None = None
    explanation: str | None = None


class Block(Struct, gc=False):
    type: str
    id: str | None = None
    name: str | None = None
    input: Raw = ABSENT
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    citations: list[Raw] | None = None
    caller: Raw = ABSENT


class Message(Struct, gc=False):
    """A whole answer, or the head of one in `message_start`."""

    id: str | None = None
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: Raw = ABSENT


class Delta(Struct, gc=False):
    """Of a block, or (without a type) of the message."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class StreamEvent(Struct, gc=False):
    type: str | None = None
    index: int | None = None
    message: Raw = ABSENT
    content_block: Raw = ABSENT
    delta: Delta | None = None
    usage: Raw = ABSENT


class Citation(Struct, gc=False):
    type: str | None = None
    url: str | None = None
    title: str | None = None
    document_title: str | None = None


class Kind(Struct, gc=False):
    """Just enough to tell what something is, and whether it is an error."""

    type: str | None = None
    error: Raw = ABSENT


class RawDelta(Struct, gc=False):
    delta: Raw = ABSENT


decode_message = msgspec.json.Decoder(Message).decode
decode_event = msgspec.json.Decoder(StreamEvent).decode
decode_block = msgspec.json.Decoder(Block).decode
decode_citation = msgspec.json.Decoder(Citation).decode
decode_kind = msgspec.json.Decoder(Kind).decode
decode_raw_delta = msgspec.json.Decoder(RawDelta).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def is_given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")
