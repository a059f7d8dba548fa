"""Runs of text in a stream of the Gemini format: nearly every event of it is one more piece of one text, and the totals
so far."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.gemini.wire import ABSENT
from gaiarouter.dialects.runs import read_alike


class _Part(Struct, gc=False, forbid_unknown_fields=True):
    text: str


class _Content(Struct, gc=False, forbid_unknown_fields=True):
    parts: tuple[_Part]
    role: str | None = None


class _Candidate(Struct, gc=False, forbid_unknown_fields=True):
    content: _Content
    index: int = 0


class Piece(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    """An event that tells nothing else: any other member is unknown here."""

    candidates: tuple[_Candidate]
    usage_metadata: Raw = ABSENT
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None


_decoder = msgspec.json.Decoder(list[Piece])


def pieces_of(events: bytes) -> list[Piece]:
    """events: whole ones. Empty where one of them is anything else."""
    return read_alike(events, _decoder, start=b"data: ")
