"""What in a Messages request is bound to its issuer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.binding import Binding, file_binding, found_in, seal_binding
from gaiarouter.dialects.messages.blocks import DIALECT, THINKING_FORMAT
from gaiarouter.dialects.messages.foreign import unwrap

_ABSENT: Final = Raw(b"")
_OWN: Final = (DIALECT,)
_WORDS: Final = (b'"container"', b'"file_id"', b'"signature"', b'"redacted_thinking"', b'"compaction"')


class _Source(Struct):
    file_id: str | None = None


class _Block(Struct):
    type: str
    file_id: str | None = None
    source: _Source | str | None = None
    signature: str | None = None
    content: Raw = _ABSENT


class _Message(Struct):
    content: str | list[_Block]


class _Container(Struct):
    id: str | None = None


class _Body(Struct):
    messages: list[_Message]
    container: _Container | str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_blocks = msgspec.json.Decoder(list[_Block]).decode


def bindings(body: bytes) -> tuple[Binding, ...]:
    """Implements dialects.binding.BindingReader."""
    return found_in(body, _WORDS, lambda text: _found(_decode(text)))


def _found(body: _Body) -> Iterator[Binding]:
    match body.container:
        case str():
            yield Binding("container", _OWN)
        case _Container(id=str()):
            yield Binding("container.id", _OWN)
        case _:
            pass
    for index, message in enumerate(body.messages):
        if isinstance(message.content, list):
            yield from _of_blocks(message.content, f"messages[{index}].content")


def _of_blocks(blocks: list[_Block], path: str) -> Iterator[Binding]:
    for index, block in enumerate(blocks):
        place = f"{path}[{index}]"
        if block.type == "redacted_thinking":
            yield from seal_binding(THINKING_FORMAT, place)
        elif block.type == "compaction":
            yield Binding(place, _OWN, "sealed")
        elif block.signature:
            wrapped = unwrap(block.signature)
            if wrapped is None or not any(sealed.via for sealed in wrapped.sealed):
                yield from seal_binding(wrapped.format if wrapped else THINKING_FORMAT, f"{place}.signature")
        elif block.file_id:
            yield file_binding(block.file_id, f"{place}.file_id", otherwise=_OWN)
        elif isinstance(block.source, _Source) and block.source.file_id:
            yield file_binding(block.source.file_id, f"{place}.source.file_id", otherwise=_OWN)
        elif bytes(block.content).startswith(b"["):
            yield from _of_blocks(_decode_blocks(block.content), f"{place}.content")
