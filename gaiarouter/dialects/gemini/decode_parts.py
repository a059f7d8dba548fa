"""The parts of a Gemini content as canonical parts: each in its place, nothing merged."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Document,
    FileRef,
    Image,
    Opaque,
    Part,
    Reasoning,
    ResultPart,
    Sealed,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
    Video,
)
from gaiarouter.canonical.rawjson import compact
from gaiarouter.dialects.gemini import form
from gaiarouter.dialects.gemini.foreign import Wrapped, unwrap
from gaiarouter.dialects.gemini.parts import DIALECT, SIGNATURE_FORMAT
from gaiarouter.dialects.gemini.turns import NO_SIGNATURE
from gaiarouter.dialects.media import checked_base64
from gaiarouter.dialects.strays import Strays

_MEDIA = frozenset({"inlineData", "fileData", "mediaResolution", "thoughtSignature"})
_CALL = frozenset({"functionCall", "thoughtSignature"})
_RESPONSE = frozenset({"functionResponse"})
TEXT_MEMBERS = frozenset({"text", "thought", "thoughtSignature"})
_DETAILS = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}
_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}

# clients that take signatures for bytes spell its name in base64
_NO_SIGNATURES = frozenset({NO_SIGNATURE, base64.b64encode(NO_SIGNATURE.encode()).decode()})


class PartReader:
    """Reads the parts of one content. wrapped: what other providers thought before some of its parts."""

    def __init__(self, *, turn: int, strays: Strays) -> None:
        self._turn = turn
        self._strays = strays
        self._calls = 0
        self.wrapped: list[tuple[Wrapped, str]] = []

    def read(self, raw: Raw, path: str) -> Part:
        """A result of a function without an id has the empty one. Raises InvalidRequest with the path."""
        part, members = form.read(raw, form.Part, path, self._strays), form.members(raw, path)
        if members and TEXT_MEMBERS.issuperset(members):
            return self._text(part, path)
        call, response = form.given(part.function_call), form.given(part.function_response)
        if call is not None and _CALL.issuperset(members):
            return self._call(part, call, path)
        if response is not None and _RESPONSE.issuperset(members):
            return _result(response, f"{path}.functionResponse", self._strays)
        if members.keys() & {"inlineData", "fileData"} and _MEDIA.issuperset(members):
            return _media(part, self._seal(part, path), path, self._strays)
        kind = _kind(members)
        if kind is None:
            raise refused(path, "holds nothing", code="invalid_value")
        return Opaque(dialect=DIALECT, type=kind, raw=raw, path=path)

    def _text(self, part: form.Part, path: str) -> Text | Reasoning:
        sealed = self._seal(part, path)
        if not part.thought:
            return Text(text=part.text or "", sealed=sealed, path=path)
        if sealed and not part.text:
            return Reasoning(sealed=(sealed,), format=SIGNATURE_FORMAT, path=path)
        own = (Sealed("signature", sealed.format, sealed.data),) if sealed else ()
        return Reasoning(visible=(part.text or "",), sealed=own, format=SIGNATURE_FORMAT, path=path)

    def _call(self, part: form.Part, raw: Raw, path: str) -> ToolCall:
        call = form.read(raw, form.FunctionCall, f"{path}.functionCall", self._strays)
        if not call.name:
            raise refused(f"{path}.functionCall.name", "is missing", code="missing_field")
        number, self._calls = self._calls, self._calls + 1
        arguments = form.given(call.args)
        return ToolCall(
            call_id=call.id or f"call_{self._turn}_{number}",
            name=call.name,
            arguments=compact(arguments).decode() if arguments else "{}",
            sealed=self._seal(part, path),
            path=path,
            arguments_path=f"{path}.functionCall.args",
        )

    def _seal(self, part: form.Part, path: str) -> Sealed | None:
        signature = part.thought_signature
        if not signature or signature in _NO_SIGNATURES:
            return None
        wrapped = unwrap(signature)
        if wrapped is None:
            return Sealed("encrypted", SIGNATURE_FORMAT, signature)
        self.wrapped.append((wrapped, f"{path}.thoughtSignature"))
        return wrapped.sealed


def _media(part: form.Part, sealed: Sealed | None, path: str, strays: Strays) -> Image | Audio | Video | Document:
    media_type, source = _source(part, path, strays)
    kind = media_type.partition("/")[0]
    match kind:
        case "image":
            detail = _DETAILS.get((part.media_resolution and part.media_resolution.level) or "")
            return Image(source=source, detail=detail, sealed=sealed, path=path)
        case "audio":
            return Audio(source=source, format=_FORMATS.get(media_type), path=path)
        case "video":
            return Video(source=source, path=path)
        case _:
            return Document(source=source, path=path)


def _source(part: form.Part, path: str, strays: Strays) -> tuple[str, Source]:
    """The media type, in lower case, and where the bytes are."""
    if (raw := form.given(part.inline_data)) is not None:
        blob = form.read(raw, form.Blob, f"{path}.inlineData", strays)
        if not blob.mime_type:
            raise refused(f"{path}.inlineData.mimeType", "is missing", code="missing_field")
        try:
            # the API takes both alphabets of base64, other providers only this one
            data = checked_base64((blob.data or "").translate(_STANDARD))
        except ValueError:
            raise refused(f"{path}.inlineData.data", "is not base64", code="invalid_value") from None
        return blob.mime_type.lower(), Base64(blob.mime_type.lower(), data)
    file = form.read(part.file_data, form.File, f"{path}.fileData", strays)
    if not file.file_uri:
        raise refused(f"{path}.fileData.fileUri", "is missing", code="missing_field")
    media_type = (file.mime_type or "").lower()
    if is_own_file(file.file_uri):
        return media_type, FileRef(file.file_uri, minted_by=DIALECT, media_type=media_type or None)
    return media_type, Url(file.file_uri, media_type or None)


_STANDARD = str.maketrans("-_", "+/")
_OWN_FILES = "https://generativelanguage.googleapis.com/"


def is_own_file(uri: str) -> bool:
    """Uploaded to the vendor, and there only."""
    return uri.startswith(_OWN_FILES)


def _result(raw: Raw, path: str, strays: Strays) -> ToolResult:
    response = form.read(raw, form.FunctionResponse, path, strays)
    if not response.name and not response.id:
        raise refused(f"{path}.name", "is missing", code="missing_field")
    content, is_error = _content(form.given(response.response))
    places = [f"{path}.parts[{index}]" for index in range(len(response.parts or ()))]
    media = tuple(_result_part(each, place, strays) for each, place in zip(response.parts or (), places, strict=True))
    return ToolResult(
        call_id=response.id or "",
        name=response.name,
        content=_beside(content, media, path) if media else content,
        is_error=is_error,
        path=path,
    )


def _beside(content: str | Raw, media: tuple[ResultPart, ...], path: str) -> tuple[ResultPart, ...]:
    text = content if isinstance(content, str) else bytes(content).decode()
    return (Text(text=text, path=path), *media) if text not in ("", "{}") else media


def _result_part(raw: Raw, path: str, strays: Strays) -> ResultPart:
    part, members = form.read(raw, form.Part, path, strays), form.members(raw, path)
    if not (members.keys() & {"inlineData", "fileData"} and _MEDIA.issuperset(members)):
        return Opaque(dialect=DIALECT, type=_kind(members) or "", raw=raw, path=path)
    return _media(part, None, path, strays)


def _kind(members: Collection[str]) -> str | None:
    return next((name for name in members if name not in ("thought", "thoughtSignature")), None)


def _content(response: Raw | None) -> tuple[str | Raw, bool | None]:
    """`output` (or `result`) and `error` are the API's own names for what is no object."""
    if response is None:
        return "", None
    members: dict[str, Any] = msgspec.json.decode(response, type=dict[str, Raw]) if _is_object(response) else {}
    if len(members) == 1:
        name, value = next(iter(members.items()))
        text = form.text_of(value)
        if name == "error":
            return (compact(value).decode() if text is None else text), True
        if name in ("output", "result") and text is not None:
            return text, None
    return Raw(compact(response)), None


def _is_object(raw: Raw) -> bool:
    return bytes(raw).startswith(b"{")
