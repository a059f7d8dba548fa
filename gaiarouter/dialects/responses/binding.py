"""What in a Responses request is bound to its issuer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.binding import Binding, file_binding, found_in, seal_binding
from gaiarouter.dialects.responses.fields import DIALECT, NEUTRAL
from gaiarouter.dialects.responses.sealing import unwrap

_ABSENT: Final = Raw(b"")
_OWN: Final = (DIALECT,)
_KEPT: Final = ("previous_response_id", "conversation", "prompt")
"""Handles of what an account keeps."""
_STATE: Final = ("store", "background", "context_management")
_WORDS: Final = tuple(
    f'"{name}"'.encode()
    for name in (
        *(*_KEPT, *_STATE),
        *("item_reference", "compaction", "encrypted_content", "file_id", "container", "vector_store_ids", "id"),
    )
)
_COMPACTED: Final = frozenset({"compaction", "compaction_trigger"})


class _Part(Struct):
    file_id: str | None = None


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    content: str | list[_Part] | None = None
    output: Raw = _ABSENT
    encrypted_content: str | None = None


class _Tool(Struct):
    container: Raw = _ABSENT
    vector_store_ids: Raw = _ABSENT


class _Body(Struct):
    input: str | list[_Item] | None = None
    tools: list[_Tool] | None = None
    previous_response_id: Raw = _ABSENT
    conversation: Raw = _ABSENT
    prompt: Raw = _ABSENT
    store: Raw = _ABSENT
    background: Raw = _ABSENT
    context_management: Raw = _ABSENT


_decode = msgspec.json.Decoder(_Body).decode
_decode_parts = msgspec.json.Decoder(list[_Part]).decode


def bindings(body: bytes) -> tuple[Binding, ...]:
    """Implements dialects.binding.BindingReader."""
    return found_in(body, _WORDS, lambda text: _found(_decode(text)))


def _found(body: _Body) -> Iterator[Binding]:
    for name, value in ((name, getattr(body, name)) for name in (*_KEPT, *_STATE)):
        if bytes(value) not in (b"", b"null", *NEUTRAL.get(name, ())):
            yield Binding(name, _OWN, "kept" if name in _KEPT else "state")
    if isinstance(body.input, list):
        for index, item in enumerate(body.input):
            yield from _of_item(item, f"input[{index}]")
    for index, tool in enumerate(body.tools or ()):
        for name, value in (("container", tool.container), ("vector_store_ids", tool.vector_store_ids)):
            # `{"type": "auto"}` is a container that is still to be made
            if bytes(value)[:1] in (b'"', b"["):
                yield Binding(f"tools[{index}].{name}", _OWN)


def _of_item(item: _Item, path: str) -> Iterator[Binding]:
    kind = item.type or ("message" if item.role else "item_reference")
    if kind == "item_reference":
        yield Binding(path, _OWN)
    elif kind in _COMPACTED:
        yield Binding(path, _OWN, "sealed")
    elif item.encrypted_content:
        wrapped, place = unwrap(item.encrypted_content), f"{path}.encrypted_content"
        if wrapped is None:
            yield Binding(place, _OWN, "sealed")
        elif not any(sealed.via for sealed in wrapped.sealed):
            yield from seal_binding(wrapped.format, place)
    if isinstance(item.content, list):
        yield from _of_parts(item.content, f"{path}.content")
    if bytes(item.output).startswith(b"["):
        yield from _of_parts(_decode_parts(item.output), f"{path}.output")


def _of_parts(parts: list[_Part], path: str) -> Iterator[Binding]:
    for index, part in enumerate(parts):
        if part.file_id:
            yield file_binding(part.file_id, f"{path}[{index}].file_id", otherwise=_OWN)
