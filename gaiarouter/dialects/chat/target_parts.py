"""Parts of a user's turn as Chat takes them."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import Losses, Marked, refused
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Bucket,
    Cache,
    Document,
    FileRef,
    Image,
    Opaque,
    Part,
    PlainText,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gaiarouter.canonical.rawjson import compact
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.dialects.media import name_unsent, text_of

DIALECT = "chat"
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
_OWN_HANDLES = (None, DIALECT, "responses")
_ERROR = "Error"


class PartWriter:
    def __init__(self, profile: ChatProfile, losses: Losses) -> None:
        self._profile = profile
        self._losses = losses

    def content(self, parts: list[Part]) -> str | list[Any] | None:
        """None where nothing is said. Text alone is a string: every server takes that."""
        written = [written for part in parts if (written := self._part(part)) is not None]
        plain = all(part["type"] == "text" and len(part) == 2 for part in written)
        if plain and (len(written) == 1 or self._profile.text_only):
            return "\n\n".join(part["text"] for part in written)
        return written or None

    def result(self, result: ToolResult, call_id: str) -> tuple[str, list[Part]]:
        """The text of a tool's result, and what must follow it elsewhere, because results are text alone."""
        self.drop_cache(result)
        match result.content:
            case str(text):
                beside: list[Part] = []
            case Raw() as raw:
                text, beside = compact(raw).decode(), []
            case parts:
                text, beside = self._result_parts(parts, call_id)
        if result.is_error and not text.startswith(_ERROR):
            text = f"{_ERROR}: {text}"
        return text, beside

    def _result_parts(self, parts: tuple[Part, ...], call_id: str) -> tuple[str, list[Part]]:
        texts: list[str] = []
        beside: list[Part] = []
        for part in parts:
            match part:
                case Text(text=text):
                    self.drop_cache(part)
                    texts.append(text)
                case Opaque(fallback=str(text)):
                    texts.append(text)
                case Opaque(type="tool_reference"):
                    self._losses.drop(part.path, "another provider's own", blind=True)
                case Opaque():
                    raise refused(part.path, "the model's provider cannot take a part of this type")
                case _:
                    label = f"[image {len(beside) // 2 + 1} of tool result {call_id}]"
                    texts.append(label)
                    beside += [Text(text=label), part]
        return "\n".join(texts), beside

    def _part(self, part: Part) -> dict[str, Any] | None:
        match part:
            case Text(text=text) | Refusal(text=text):
                return self._marked({"type": "text", "text": text}, part) if text else None
            case Image():
                return self._marked(self._image(part), part)
            case Document():
                return self._marked(self._document(part), part)
            case Audio():
                return self._audio(part)
            case Video():
                raise refused(part.path, "the model's provider takes no films")
            case Opaque(raw=raw, dialect=dialect) if dialect == DIALECT:
                return _members(raw)
            case Opaque(fallback=str(text)):
                return {"type": "text", "text": text} if text else None
            case Opaque():
                raise refused(part.path, "the model's provider cannot take a part of this type")
            case Reasoning() | ToolCall() | ToolResult():
                return None
            case _:
                assert_never(part)

    def drop_cache(self, marked: Marked) -> None:
        """Where a breakpoint cannot stand, whoever serves it."""
        self._losses.drop_breakpoint(marked, "a cache breakpoint cannot stand here")

    def _marked(self, body: dict[str, Any], part: Part) -> dict[str, Any]:
        cache: Cache | None = getattr(part, "cache", None)
        if cache is None:
            return body
        if not self._profile.cache_control:
            self._losses.drop(part.path, "the provider finds by itself what to cache", blind=True)
            return body
        return body | {"cache_control": {"type": "ephemeral"} | ({"ttl": cache.ttl} if cache.ttl else {})}

    def _image(self, part: Image) -> dict[str, Any]:
        if not self._profile.images:
            raise refused(part.path, "the model's provider takes no pictures")
        url: dict[str, Any] = {"url": self._url(part.source, part.path)}
        return {"type": "image_url", "image_url": url | ({"detail": part.detail} if part.detail else {})}

    def _url(self, source: Source, path: str) -> str:
        match source:
            case Base64(media_type=media_type, data=data):
                return f"data:{media_type or 'application/octet-stream'};base64,{data}"
            case Url(url=url) if self._profile.image_urls:
                return url
            case Url():
                raise refused(path, "the model's provider does not load addresses: send the bytes as a data URL")
            case FileRef() | PlainText():
                raise refused(path, "a handle to a file is good only where the file was uploaded")
            case Bucket():
                raise refused(path, "the model's provider cannot read another cloud's storage")
            case _:
                assert_never(source)

    def _document(self, part: Document) -> dict[str, Any]:
        source = part.source
        if isinstance(source, Base64) and (source.media_type or "").startswith("text/"):
            source = PlainText(text_of(source, part.path))
        name_unsent(part, self._losses, "citations")
        if isinstance(source, PlainText):
            lines = (part.context, part.title or part.filename, source.text)
            return {"type": "text", "text": "\n".join(line for line in lines if line)}
        name_unsent(part, self._losses, "context")
        if isinstance(source, FileRef) and source.minted_by in _OWN_HANDLES:
            return {"type": "file", "file": {"file_id": source.id}}
        if not isinstance(source, Base64):
            raise refused(part.path, "the model's provider does not fetch files: send the bytes")
        if not self._profile.files:
            raise refused(part.path, "the model's provider takes no files")
        name = part.filename or part.title or "document.pdf"
        return {"type": "file", "file": {"filename": name, "file_data": self._url(source, part.path)}}

    def _audio(self, part: Audio) -> dict[str, Any]:
        source = part.source
        if not self._profile.audio:
            raise refused(part.path, "the model's provider takes no sound")
        if not isinstance(source, Base64):
            raise refused(part.path, "sound must be sent in its bytes")
        found = part.format or _AUDIO_FORMATS.get(source.media_type or "")
        if found is None:
            raise refused(part.path, "sound must be WAV or MP3", code="invalid_value")
        return {"type": "input_audio", "input_audio": {"data": source.data, "format": found}}


def _members(raw: Raw) -> dict[str, Any]:
    members: dict[str, Any] = dict(msgspec.json.decode(raw, type=dict[str, Raw]))
    return members | {"type": msgspec.json.decode(members["type"])}
