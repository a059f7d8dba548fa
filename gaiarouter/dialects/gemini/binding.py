"""What in a Gemini request is bound to its issuer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Raw

from gaiarouter.dialects.binding import Binding, found_in, seal_binding
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.decode_parts import is_own_file
from gaiarouter.dialects.gemini.foreign import Wrapped, unwrap
from gaiarouter.dialects.gemini.parts import DIALECT, SIGNATURE_FORMAT

_OWN: Final = (DIALECT,)
_WORDS: Final = (b"cachedContent", b"cached_content", b"generativelanguage", b"thoughtSignature", b"thought_signature")


def bindings(body: bytes) -> tuple[Binding, ...]:
    """Implements dialects.binding.BindingReader."""
    return found_in(body, _WORDS, lambda text: _found(form.members(text)))


def _found(members: dict[str, Raw]) -> Iterator[Binding]:
    cache = form.text_of(members.get("cachedContent", form.ABSENT))
    if cache:
        # a project's own cloud names what it keeps by the project
        yield Binding("cachedContent", _OWN, "sealed" if cache.startswith("projects/") else "kept")
    contents = members["contents"]
    if bytes(contents).startswith(b"["):
        for index, raw in enumerate(form.items(contents, "contents")):
            yield from _of_content(raw, f"contents[{index}]")


def _of_content(raw: Raw, path: str) -> Iterator[Binding]:
    if not bytes(raw).startswith(b"{"):
        return
    parts = form.members(raw, path).get("parts", form.ABSENT)
    if not bytes(parts).startswith(b"["):
        return
    for index, each in enumerate(form.items(parts, path)):
        place = f"{path}.parts[{index}]"
        part = form.read(each, form.Part, place)
        if form.given(part.file_data) is not None:
            file = form.read(part.file_data, form.File, place)
            if file.file_uri and is_own_file(file.file_uri):
                yield Binding(f"{place}.fileData.fileUri", _OWN)
        if part.thought_signature:
            wrapped = unwrap(part.thought_signature)
            yield from seal_binding(_format(wrapped) if wrapped else SIGNATURE_FORMAT, f"{place}.thoughtSignature")


def _format(wrapped: Wrapped) -> str:
    if wrapped.sealed is not None:
        return wrapped.sealed.format
    return wrapped.thoughts[-1].format if wrapped.thoughts else ""
