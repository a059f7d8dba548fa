"""Pictures, documents and sounds as parts of a Responses request."""

from __future__ import annotations

import base64
from typing import Any

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import Audio, Base64, Bucket, Document, FileRef, Image, PlainText, Url
from gaiarouter.dialects.media import name_unsent
from gaiarouter.dialects.responses.fields import DIALECT

_FILE_ID = "file-"
_SOUNDS = frozenset({"mp3", "wav"})
_DETAILS = frozenset({"auto", "low", "high", "original"})
Body = dict[str, Any]


def image_part(image: Image, losses: Losses) -> Body:
    body: Body = {"type": "input_image"}
    match image.source:
        case Base64(media_type=media_type, data=data):
            body["image_url"] = f"data:{media_type or 'image/png'};base64,{data}"
        case Url(url=url):
            body["image_url"] = url
        case FileRef() as file:
            body["file_id"] = _file_id(file, image.path)
        case PlainText() | Bucket():
            raise refused(image.path, "the model's provider cannot open this image")
    if image.detail is not None:
        if image.detail not in _DETAILS:
            losses.drop(f"{image.path}.detail", "the provider has no such detail", blind=True)
        else:
            body["detail"] = image.detail
    return body


def document_part(document: Document, losses: Losses) -> Body:
    body: Body = {"type": "input_file"}
    name_unsent(document, losses, "context", "citations")
    name = document.filename or document.title
    match document.source:
        case Base64(media_type=media_type, data=data):
            body["file_data"] = f"data:{media_type or 'application/pdf'};base64,{data}"
            body["filename"] = name or "document"
        case PlainText(text=text):
            body["file_data"] = f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}"
            body["filename"] = name or "document.txt"
        case Url(url=url):
            name_unsent(document, losses, "title")
            body["file_url"] = url
        case FileRef() as file:
            name_unsent(document, losses, "title")
            body["file_id"] = _file_id(file, document.path)
        case Bucket():
            raise refused(document.path, "the model's provider cannot open this document")
    return body


def audio_part(audio: Audio) -> Body:
    source = audio.source
    if not isinstance(source, Base64):
        raise refused(audio.path, "the model's provider takes a sound's own bytes only")
    kind = audio.format or (source.media_type or "").removeprefix("audio/")
    if kind not in _SOUNDS:
        raise refused(audio.path, "the model's provider takes MP3 and WAV only")
    return {"type": "input_audio", "input_audio": {"data": source.data, "format": kind}}


def _file_id(file: FileRef, path: str) -> str:
    if file.minted_by not in (None, DIALECT) or not file.id.startswith(_FILE_ID):
        raise refused(path, "this handle was not made by the model's provider")
    return file.id
