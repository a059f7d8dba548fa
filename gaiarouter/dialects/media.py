"""Pictures and documents inside JSON: data URLs, and what their bytes are."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.parts import Base64, Document, Url
from gaiarouter.dialects.magic import media_type_of

_DATA_URL = re.compile(r"data:([^,]*),", re.IGNORECASE)
_BLANK = re.compile(r"\s+")
_SNIFFED_CHARS = 32


class _Switch(Struct, frozen=True):
    enabled: bool = False


def source_of(url: str) -> Base64 | Url:
    """What a URL stands for: the bytes in it (`data:`, percent-encoded ones too), or an address.

    Raises ValueError for a data URL that holds no bytes.
    """
    url = url.strip()
    found = _DATA_URL.match(url)
    if found is None:
        return Url(url)
    head, _, payload = found.group(1), "", url[found.end() :]
    media_type, *parameters = (each.strip() for each in head.split(";"))
    if "base64" in (parameter.lower() for parameter in parameters):
        data = checked_base64(payload)
    else:
        data = base64.b64encode(unquote_to_bytes(payload)).decode()
    return Base64(_media_type(media_type) or sniffed(data), data)


def checked_base64(text: str) -> str:
    """`text` without blank space. Raises ValueError unless it is base64."""
    data = _BLANK.sub("", text)
    if "%" in data:
        data = unquote_to_bytes(data).decode("ascii")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if not data:
        raise ValueError("no bytes")
    return data


def text_of(file: Base64, path: str) -> str:
    """Of a file of text. path: where it stands, for the InvalidRequest that it raises."""
    try:
        return base64.b64decode(file.data).decode()
    except ValueError:
        raise refused(path, "a file of text must be UTF-8", code="invalid_value") from None


def name_unsent(document: Document, losses: Losses, *members: str) -> None:
    """Of what its caller told beside a document, that for which a target has no place, by the caller's names."""
    for name in members:
        value = getattr(document, name)
        if value is not None and not (name == "citations" and not asks_to_cite(value)):
            losses.drop(f"{document.path}.{name}", "the provider takes a document without it", blind=True)


def asks_to_cite(citations: Raw) -> bool:
    """A document's switch for citations."""
    try:
        return msgspec.json.decode(citations, type=_Switch).enabled
    except msgspec.ValidationError:
        return True


def sniffed(data: str) -> str | None:
    """The media type that the first bytes of base64 `data` tell."""
    head = data[:_SNIFFED_CHARS]
    return media_type_of(base64.b64decode(head + "=" * (-len(head) % 4)))


def _media_type(text: str) -> str | None:
    kind = text.lower()
    return "image/jpeg" if kind == "image/jpg" else kind or None
