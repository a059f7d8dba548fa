"""Pictures, sound, films and files as parts of a Gemini request: their bytes, or an address that the provider loads."""

from __future__ import annotations

import base64
from typing import Any, assert_never
from urllib.parse import urlsplit

from msgspec import Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Audio, Base64, Bucket, Document, FileRef, Image, PlainText, Source, Url, Video
from gaiarouter.dialects.gemini.capabilities import Capabilities
from gaiarouter.dialects.media import name_unsent

_OWN_FILES = "https://generativelanguage.googleapis.com/"
_FILM_HOSTS = frozenset({"www.youtube.com", "youtube.com", "youtu.be", "m.youtube.com"})
_RESOLUTIONS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_BY_SUFFIX = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "gif": "image/gif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
}


class MediaWriter(Struct, kw_only=True):
    """fetches_urls: the provider loads any address by itself. own_files: it has its Files API, whose handles are
    addresses."""

    model: Capabilities
    losses: Losses
    fetches_urls: bool
    own_files: bool

    def write(self, part: Media) -> dict[str, Any]:
        """Raises InvalidRequest, with the part's path, for what the provider cannot be given."""
        match part:
            case Image(source=source, detail=detail, path=path):
                return self._source(source, path, "image/") | self._resolution(detail, path)
            case Audio(source=source, path=path):
                return self._source(source, path, "audio/")
            case Video(source=source, path=path):
                return self._source(source, path, "video/")
            case Document(source=source, path=path):
                if part.filename or part.title:
                    self.losses.drop(path, "a file is sent without its name", blind=True)
                name_unsent(part, self.losses, "context", "citations")
                return self._source(source, path, "")
            case _:
                assert_never(part)

    def _resolution(self, detail: str | None, path: str) -> dict[str, Any]:
        level = _RESOLUTIONS.get(detail or "")
        if level is None:
            return {}
        if not self.model.media_resolution:
            self.losses.drop(path, "the model takes all pictures at one resolution", blind=True)
            return {}
        return {"mediaResolution": {"level": level}}

    def _source(self, source: Source, path: str, kind: str) -> dict[str, Any]:
        match source:
            case Base64(media_type=media_type, data=data):
                if media_type is None or not media_type.startswith(kind):
                    wanted = f"{kind}…" if kind else "type"
                    raise refused(path, f"its media type ({wanted}) must be told", code="invalid_value")
                return {"inlineData": {"mimeType": media_type, "data": data}}
            case PlainText(text=text):
                data = base64.b64encode(text.encode()).decode()
                return {"inlineData": {"mimeType": "text/plain", "data": data}}
            case Url(url=url, media_type=media_type):
                return self._address(url, media_type, path)
            case FileRef(id=url, media_type=media_type) if self._is_own_file(url):
                return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}
            case FileRef():
                raise refused(path, "a handle to a file is good only where the file was uploaded")
            case Bucket(uri=uri) if uri.startswith("gs://") and not self.own_files:
                return self._file(uri, None, path)
            case Bucket():
                raise refused(path, "the model's provider cannot read this cloud's storage")
            case _:
                assert_never(source)

    def _is_own_file(self, url: str) -> bool:
        return self.own_files and url.startswith(_OWN_FILES)

    def _address(self, url: str, media_type: str | None, path: str) -> dict[str, Any]:
        if self._is_own_file(url):
            return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}
        if url.startswith("gs://") and not self.own_files:
            return self._file(url, media_type, path)
        if not url.lower().startswith(("https://", "http://")):
            raise refused(path, "this is neither a web address nor a data URL", code="invalid_value")
        host = _host(url)
        if host is None:
            raise refused(path, "this is no web address", code="invalid_value")
        if host in _FILM_HOSTS:
            return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}
        if not self.fetches_urls:
            raise refused(path, "the model's provider does not load addresses: send the bytes as a data URL")
        return self._file(url, media_type, path)

    def _file(self, url: str, media_type: str | None, path: str) -> dict[str, Any]:
        found = media_type or _BY_SUFFIX.get(urlsplit(url).path.rpartition(".")[2].lower())
        if found is None:
            raise refused(path, "the provider must be told a media type, which this address does not show")
        return {"fileData": {"fileUri": url, "mimeType": found}}


def loads_anyway(url: str, *, own_files: bool) -> bool:
    """Whether it is one of the web addresses that the provider can always be given. own_files: as of MediaWriter."""
    return (own_files and url.startswith(_OWN_FILES)) or _host(url) in _FILM_HOSTS


def _host(url: str) -> str | None:
    """None for what is no address."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return None
