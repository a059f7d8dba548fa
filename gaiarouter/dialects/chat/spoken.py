"""An answer in Chat's form on the wire, every member that a translation reads: whole, or in chunks.

Types are as wide as what servers of this form send: any member may be null or missing.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.chat.form import Detail

ABSENT = Raw(b"")


class Function(Struct, gc=False):
    name: str | None = None
    arguments: Raw = ABSENT


class Custom(Struct, gc=False):
    name: str | None = None
    input: str | None = None


class Call(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None


class Part(Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: list[Part] | str | None = None


class UrlCitation(Struct, gc=False):
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Annotation(Struct, gc=False):
    type: str | None = None
    url_citation: UrlCitation | None = None


class ImageUrl(Struct, gc=False):
    url: str = ""


class Picture(Struct, gc=False):
    image_url: ImageUrl | None = None


class Audio(Struct, gc=False):
    transcript: str | None = None


class Said(Struct, gc=False):
    """A message, or the delta of one."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Detail] | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: list[Raw] | None = None
    images: list[Picture] | None = None
    audio: Audio | None = None


class Logprobs(Struct, gc=False):
    content: Raw = ABSENT


class Choice(Struct, gc=False):
    index: int | None = None
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: Logprobs | None = None
    error: Raw = ABSENT


class XGroq(Struct, gc=False):
    usage: Raw = ABSENT


class Body(Struct, gc=False):
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    service_tier: Raw = ABSENT
    x_groq: XGroq | None = None


decode_body = msgspec.json.Decoder(Body).decode
decode_annotation = msgspec.json.Decoder(Annotation).decode
decode_text = msgspec.json.Decoder(str).decode


def is_given(raw: Raw) -> bool:
    return bytes(raw) not in (b"", b"null")
