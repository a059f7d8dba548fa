"""Runs of text in a stream of the Messages format: nearly every event of it is one more piece of one text."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from gaiarouter.canonical.events import TextRun
from gaiarouter.dialects.runs import read_alike

_NAMED = b"event: content_block_delta\ndata: "


class _Delta(Struct, gc=False):
    type: Literal["text_delta"]
    text: str


class _Event(Struct, gc=False):
    type: Literal["content_block_delta"]
    index: int
    delta: _Delta


_decoder = msgspec.json.Decoder(list[_Event])


def text_run(events: bytes) -> TextRun | None:
    """events: whole ones. None where one of them is anything else, or of another block than the first."""
    found = read_alike(events, _decoder, start=_NAMED)
    if not found:
        return None
    index = found[0].index
    texts = [event.delta.text for event in found if event.index == index]
    if len(texts) != len(found):
        return None
    return TextRun(index, texts if all(texts) else [text for text in texts if text])
