"""The parts of a message's content, or of a tool's output, in a Responses request."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.parts import (
    Audio,
    Base64,
    Cache,
    Citation,
    Document,
    FileRef,
    Image,
    Opaque,
    Part,
    Refusal,
    ResultPart,
    Text,
    Url,
)
from gaiarouter.dialects.media import source_of
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.dialects.responses import form
from gaiarouter.dialects.responses.fields import DIALECT
from gaiarouter.dialects.strays import Strays


class ContentReader:
    """cache_ttl: of breakpoints that name none."""

    def __init__(self, *, cache_ttl: str | None, strays: Strays) -> None:
        self._cache_ttl = cache_ttl
        self._strays = strays

    def read(self, content: str | list[Raw] | None, path: str) -> tuple[Part, ...]:
        if content is None:
            return ()
        if isinstance(content, str):
            return (Text(text=content, path=path),)
        return tuple(self._part(raw, f"{path}[{index}]") for index, raw in enumerate(content))

    def read_output(self, raw: Raw, path: str) -> str | tuple[ResultPart, ...]:
        """What a tool gave: text, or parts."""
        if form.given(raw) is None:
            return ""
        try:
            output = form.decode_output(raw)
        except msgspec.ValidationError as error:
            raise wrong_field(str(error), inside=path) from None
        if isinstance(output, str):
            return output
        return tuple(_result_part(part) for part in self.read(output, path))

    def _part(self, raw: Raw, path: str) -> Part:
        try:
            part: form.Part = form.decode_sent_part(raw)
        except msgspec.ValidationError:
            part = self._strays.read(raw, form.SentPart, path)
        match part:
            case form.Part(type="input_text" | "output_text" | "text", text=str(text)):
                return self._text(part, text, path)
            case form.Part(type="refusal", refusal=str(text)):
                return Refusal(text=text, path=path)
            case form.Part(type="input_image"):
                source = _image_source(part, path)
                return Image(source=source, detail=part.detail, cache=self._cache(part), path=path)
            case form.Part(type="input_file"):
                source = _file_source(part, path)
                if part.detail is not None:
                    self._strays.note(f"{path}.detail", Raw(msgspec.json.encode(part.detail)))
                return Document(source=source, filename=part.filename, cache=self._cache(part), path=path)
            case form.Part(type="input_audio", input_audio=form.InputAudio(data=data, format=kind)):
                return Audio(source=Base64(f"audio/{kind}" if kind else None, data), format=kind, path=path)
            case _:
                self._strays.forget(path)
                return Opaque(dialect=DIALECT, type=part.type, raw=raw, path=path)

    def _text(self, part: form.Part, text: str, path: str) -> Text:
        logprobs = form.given(part.logprobs)
        return Text(
            text=text,
            citations=tuple(read_citation(raw) for raw in part.annotations or ()),
            logprobs=() if logprobs is None or bytes(logprobs) == b"[]" else (logprobs,),
            cache=self._cache(part),
            path=path,
        )

    def _cache(self, part: form.Part) -> Cache | None:
        found = part.prompt_cache_breakpoint
        return Cache(found.ttl or self._cache_ttl) if found else None


def read_citation(raw: Raw) -> Citation:
    """An annotation, whoever wrote it: one that cannot be read is kept all the same."""
    try:
        found = form.decode_annotation(raw)
    except msgspec.ValidationError:
        found = form.Annotation()
    return Citation(
        kind="url" if found.type == "url_citation" else "document" if "file" in found.type else "other",
        dialect=DIALECT,
        raw=raw,
        url=found.url,
        title=found.title or found.filename,
        start=found.start_index,
        end=found.end_index,
    )


def _result_part(part: Part) -> ResultPart:
    match part:
        case Text() | Image() | Document() | Audio() | Opaque():
            return part
        case _:
            raise refused(part.path, "no part of a tool's result")


def _image_source(part: form.Part, path: str) -> Base64 | Url | FileRef:
    if part.image_url:
        return _source(part.image_url, f"{path}.image_url")
    if part.file_id:
        return FileRef(part.file_id)
    raise refused(f"{path}.image_url", "an image needs `image_url` or `file_id`", code="missing_field")


def _file_source(part: form.Part, path: str) -> Base64 | Url | FileRef:
    if part.file_data:
        return _source(part.file_data, f"{path}.file_data")
    if part.file_url:
        return _source(part.file_url, f"{path}.file_url")
    if part.file_id:
        return FileRef(part.file_id)
    raise refused(f"{path}.file_data", "a file needs `file_data`, `file_url` or `file_id`", code="missing_field")


def _source(url: str, path: str) -> Base64 | Url:
    try:
        return source_of(url)
    except ValueError:
        raise refused(path, "this data URL holds no base64", code="invalid_value") from None
