"""What in a Chat request is bound to its issuer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from gaiarouter.dialects.binding import Binding, file_binding, found_in, seal_binding

_OWN: Final = ("responses", "chat")
"""Of those who speak Chat, who speaks Responses too has what keeps files and sounds."""
_WORDS: Final = (b'"file_id"', b'"audio"', b'"reasoning_details"')


class _File(Struct):
    file_id: str | None = None


class _Part(Struct):
    file: _File | None = None


class _Audio(Struct):
    id: str | None = None


class _Detail(Struct):
    format: str | None = None
    signature: str | None = None
    data: str | None = None


class _Message(Struct):
    content: str | list[_Part | str] | None = None
    audio: _Audio | None = None
    reasoning_details: list[_Detail] | None = None


class _Body(Struct):
    messages: list[_Message]


_decode = msgspec.json.Decoder(_Body).decode


def bindings(body: bytes) -> tuple[Binding, ...]:
    """Implements dialects.binding.BindingReader."""
    return found_in(body, _WORDS, lambda text: _found(_decode(text)))


def _found(body: _Body) -> Iterator[Binding]:
    for index, message in enumerate(body.messages):
        place = f"messages[{index}]"
        if message.audio is not None and message.audio.id:
            yield Binding(f"{place}.audio.id", _OWN)
        for number, detail in enumerate(message.reasoning_details or ()):
            if detail.signature or detail.data:
                yield from seal_binding(detail.format or "", f"{place}.reasoning_details[{number}]")
        for number, part in enumerate(message.content if isinstance(message.content, list) else ()):
            if isinstance(part, _Part) and part.file is not None and part.file.file_id:
                path = f"{place}.content[{number}].file.file_id"
                yield file_binding(part.file.file_id, path, otherwise=_OWN)
