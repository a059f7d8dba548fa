"""Runs of text in a Chat stream: nearly every event of it is one more piece of one answer's text or thinking."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from gaiarouter.dialects.runs import read_alike
from gaiarouter.dialects.sse import check_utf8

_DATA = b"data: "
_END = b"\n\n"


class _Delta(Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: None = None
    reasoning_details: None = None
    tool_calls: None = None
    function_call: None = None
    refusal: None = None
    audio: None = None
    images: None = None


class _Choice(Struct, gc=False):
    delta: _Delta
    index: int = 0
    finish_reason: None = None
    error: None = None


class Piece(Struct, gc=False):
    """A chunk that says text and nothing else that anybody reads: what would be is null or not there."""

    choices: tuple[_Choice]
    usage: None = None
    error: None = None
    x_groq: None = None


_decode = msgspec.json.Decoder(Piece).decode
_decoder = msgspec.json.Decoder(list[Piece])


def pieces_of(events: bytes) -> Sequence[Piece]:
    """events: whole ones. Empty where one of them is anything else, or not as nearly all are written."""
    if events.count(b"\n") != len(_END) or not events.startswith(_DATA) or not events.endswith(_END):
        return read_alike(events, _decoder, start=_DATA)
    try:
        check_utf8(events)
        return (_decode(events[len(_DATA) :]),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
