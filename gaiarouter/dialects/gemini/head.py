"""A Gemini request as it passes by: checked field by field, and patched in the caller's own bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import token_weight
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.body import parse, unread
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.foreign import SEAL
from gaiarouter.dialects.members import HasMembers, JsonObject
from gaiarouter.errors import InvalidRequest

# what a picture or a document is taken for in an estimate, whose true price depends on the model
_MEDIA_TOKENS: Final = 260
_CONTENT_TOKENS: Final = 4
_BYTES_PER_TOKEN: Final = 4
_SYSTEM: Final = ("systemInstruction", "system_instruction")
_ABSENT: Final = Raw(b"")


class _Part(Struct, gc=False):
    """Both spellings of each name."""

    text: str | None = None
    blob: Raw = msgspec.field(default=_ABSENT, name="inlineData")
    snake_blob: Raw = msgspec.field(default=_ABSENT, name="inline_data")
    file: Raw = msgspec.field(default=_ABSENT, name="fileData")
    snake_file: Raw = msgspec.field(default=_ABSENT, name="file_data")


class _Said(Struct, gc=False):
    parts: list[_Part] = []


class _Content(Struct, gc=False):
    parts: list[Raw] = []


_decode_said = msgspec.json.Decoder(list[_Said]).decode
_decode_contents = msgspec.json.Decoder(list[_Content]).decode
_decode_part = msgspec.json.Decoder(_Part).decode


class GeminiHead(HasMembers, Struct, gc=False):
    """Implements dialects.base.RequestHead. Model and streaming stand in the address, not in the body."""

    model: str
    stream: bool
    include_usage: bool
    max_output_tokens: int | None
    prompt_bytes: int
    sealed: bool
    _object: JsonObject
    forwarded: Mapping[str, str] = msgspec.field(default_factory=dict)

    def estimated_input_tokens(self) -> int:
        return int(_weight(self._object.members)) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        """Usage comes unasked."""
        return self._object.body

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> GeminiHead:
        """Raises InvalidRequest if what the edits make of it is no request any more."""
        given = {form.camel(name) for name, value in self._object.members.items() if bytes(value) != b"null"}
        changes = {name: value for name, value in default.items() if name not in given} | dict(set_)
        values = {name: msgspec.json.encode(value) for name, value in changes.items() if name not in drop}
        if system is not None:
            spelt = next((name for name in _SYSTEM if name in self._object.members), _SYSTEM[0])
            values[spelt] = _with_system(system, values.get(spelt) or self._object.members.get(spelt))
        if not values and not drop:
            return self
        spellings = tuple(name for name in self._object.members if form.camel(name) in drop)
        envelope = Envelope(model=self.model, stream=self.stream)
        return read_request(self._object.patched(values, (*drop, *spellings)), envelope)


def _with_system(text: str, before: bytes | Raw | None) -> bytes:
    """Before the caller's own."""
    parts: list[Any] = [{"text": text}]
    if before is not None and bytes(before) != b"null":
        own = Raw(before)
        if (said := form.text_of(own)) is not None:
            parts.append({"text": said})
        else:
            found = form.members(own).get("parts") if bytes(own).startswith(b"{") else own
            parts += form.items(found, _SYSTEM[0]) if found is not None else []
    return msgspec.json.encode({"parts": parts})


def read_request(body: bytes, envelope: Envelope) -> GeminiHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    _, members = parse(body, unread)
    if not (envelope.model or "").strip():
        raise InvalidRequest("The address names no model", param="model")
    contents = members.members.get("contents")
    if contents is None:
        raise InvalidRequest("`contents` is missing", code="missing_field", param="contents")
    if len(contents) <= len(b"null") and bytes(contents) in (b"null", b"[]", b'""', b"{}"):
        raise InvalidRequest("`contents` must hold at least one content", param="contents")
    read = sum(len(value) for name, value in members.members.items() if form.camel(name) in _READ_BY_THE_MODEL)
    return GeminiHead(
        model=envelope.model or "",
        stream=bool(envelope.stream),
        include_usage=bool(envelope.stream),
        max_output_tokens=_limit(members.members),
        prompt_bytes=read,
        sealed=body.rfind(SEAL) >= 0,  # as of `found_in`
        _object=members,
    )


def _limit(members: Mapping[str, Raw]) -> int | None:
    """Of all candidates together. None for one that is wrong, which the provider will tell."""
    config = next((value for name, value in members.items() if form.camel(name) == "generationConfig"), form.ABSENT)
    if form.given(config) is None:
        return None
    wishes = form.members(config, "generationConfig")
    limit, count = (_whole(wishes.get(name, form.ABSENT)) for name in ("maxOutputTokens", "candidateCount"))
    return None if limit is None else limit * max(1, count or 1)


def _whole(wish: Raw) -> int | None:
    text = bytes(wish)
    return int(text[:_MOST_DIGITS]) if text.isdigit() else None


_MOST_DIGITS: Final = 18  # more are not worth the conversion: it is no limit any more
_READ_BY_THE_MODEL: Final = frozenset({"contents", "systemInstruction", "tools"})


def _weight(members: Mapping[str, Raw]) -> float:
    """An estimate of anything at all: what is wrong in it is told by whoever reads it for good."""
    weight = 0.0
    for name, value in members.items():
        match form.camel(name):
            case "contents":
                weight += _contents_weight(value, has_tools="tools" in members)
            case "systemInstruction" | "tools":
                weight += len(value) / _BYTES_PER_TOKEN
            case _:
                pass
    return weight


def _contents_weight(raw: Raw, *, has_tools: bool) -> float:
    try:
        if not has_tools:
            said = _decode_said(raw)
            known = [_known_weight(part) for content in said for part in content.parts]
            if None not in known:
                return _CONTENT_TOKENS * len(said) + sum(filter(None, known))
        contents = _decode_contents(raw)
        parts = [part for content in contents for part in content.parts]
        return _CONTENT_TOKENS * len(contents) + sum(map(_part_weight, parts))
    except msgspec.DecodeError:
        return len(raw) / _BYTES_PER_TOKEN


def _part_weight(raw: Raw) -> float:
    known = _known_weight(_decode_part(raw))
    return len(raw) / _BYTES_PER_TOKEN if known is None else known


def _known_weight(part: _Part) -> float | None:
    """None for a part that is neither text nor a medium, as calls and their results are."""
    if part.blob or part.snake_blob or part.file or part.snake_file:
        return _MEDIA_TOKENS
    return None if part.text is None else token_weight(part.text)
