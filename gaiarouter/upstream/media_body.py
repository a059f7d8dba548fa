"""What came from a caller's address: read within bounds, and its media type, as its bytes tell it."""

from __future__ import annotations

import zlib

from aiohttp import ClientResponse

from gaiarouter.dialects.magic import HEAD_BYTES, media_type_of
from gaiarouter.errors import ProtocolBroken
from gaiarouter.upstream.encoding import inflater_for

_TEXTS = frozenset({"text/plain", "text/csv", "text/html", "text/markdown", "text/xml", "text/css", "text/javascript"})
_TEXT_BY_OTHER_NAMES = frozenset({"application/json", "application/xml", "application/x-ndjson", "application/yaml"})
_SAYS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_CHARSETS = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "cp1252",  # as the web means it
    "windows-1252": "cp1252",
}


class Unusable(Exception):
    """The text says why, with nothing in it of what came."""


class Allowance:
    """Bytes that may still come: of one file, and of all files of a request together. spent: what came before."""

    def __init__(self, *, file_bytes: int, all_bytes: int, spent: int) -> None:
        self._file_bytes = file_bytes
        self._all_bytes = all_bytes
        self._left = all_bytes - spent

    def take(self, count: int) -> None:
        """Raises Unusable when there is no room for them."""
        self._left -= count
        if self._left < 0:
            raise Unusable(f"all addresses of the request hold more than {_megabytes(self._all_bytes)}")

    def check_file(self, count: int) -> None:
        if count > self._file_bytes:
            raise Unusable(f"it is larger than {_megabytes(self._file_bytes)}")


async def read_body(answer: ClientResponse, allowance: Allowance) -> bytes:
    """All of it, unfolded. Raises Unusable, and what the connection raises."""
    allowance.check_file(answer.content_length or 0)
    try:
        return await _read(answer, allowance)
    except (zlib.error, ProtocolBroken):
        raise Unusable("it is not compressed as its server says, or in a way that was not asked for") from None


async def _read(answer: ClientResponse, allowance: Allowance) -> bytes:
    inflater = inflater_for(answer.headers.get("content-encoding"))
    body, received = bytearray(), 0

    def keep(piece: bytes) -> None:
        body.extend(piece)
        allowance.check_file(len(body))
        allowance.take(len(piece))

    async for data in answer.content.iter_any():
        received += len(data)
        allowance.check_file(received)
        for piece in (data,) if inflater is None else inflater.feed(data):
            keep(piece)
    for piece in () if inflater is None else inflater.finish():
        keep(piece)
    return bytes(body)


def typed(body: bytes, content_type: str) -> tuple[str, bytes]:
    """The media type, and the bytes (texts in UTF-8). content_type: what the server says, believed of texts only.
    Raises Unusable."""
    if not body:
        raise Unusable("it is empty")
    if (found := media_type_of(body[:HEAD_BYTES])) is not None:
        return found, body
    said, _, rest = content_type.lower().partition(";")
    said = said.strip()
    if not (said.startswith("text/") or said in _TEXT_BY_OTHER_NAMES or said in _SAYS_NOTHING) or b"\0" in body:
        raise Unusable("it is no picture, PDF, sound, film or text that models read")
    try:
        text = body.decode(_CHARSETS.get(_charset(rest), "utf-8"))
    except UnicodeDecodeError:
        raise Unusable("it is no picture, PDF, sound or film that models read, and no text in UTF-8") from None
    return said if said in _TEXTS else "text/plain", text.encode()


def _charset(parameters: str) -> str:
    found = (name for each in parameters.split(";") if (name := each.strip()).startswith("charset="))
    return next(found, "").removeprefix("charset=").strip('"')


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:g} MB"
