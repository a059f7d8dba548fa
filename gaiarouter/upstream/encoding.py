"""Content encodings that we did not ask for but can read, decoded in small steps so that a bomb never unfolds."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Literal

from gaiarouter.errors import ProtocolBroken

STEP = 64 * 1024
"""Bytes that one step of decoding may yield."""

_GZIP = 16 + zlib.MAX_WBITS
_CODINGS: dict[str, Literal["gzip", "deflate"]] = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class Inflater:
    """Decodes one body. Raises zlib.error for what is not compressed as claimed."""

    def __init__(self, coding: Literal["gzip", "deflate"]) -> None:
        self._coding = coding
        self._decoder = zlib.decompressobj(_GZIP) if coding == "gzip" else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of at most STEP bytes; nothing is decoded ahead of the reader."""
        if self._decoder is None:
            # RFC 9110 8.4.1.2 means zlib's format by "deflate", but some servers leave zlib's two bytes of header out
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        while data:
            if self._decoder.eof:
                self._decoder = self._next_member()
            piece = self._decoder.decompress(data, STEP)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            if piece:
                yield piece

    def _next_member(self) -> zlib._Decompress:
        """RFC 1952 2.2: a gzip file may be several, one behind the other. Nothing may stand behind zlib's."""
        if self._coding != "gzip":
            raise ProtocolBroken("The provider sent bytes after the end of its compressed answer.")
        return zlib.decompressobj(_GZIP)

    def finish(self) -> Iterator[bytes]:
        """Call at the body's end: what zlib held back; raises ProtocolBroken if the stream is not complete."""
        if self._decoder is None:
            return
        while piece := self._decoder.decompress(self._decoder.unconsumed_tail, STEP):
            yield piece
        if not self._decoder.eof:
            raise ProtocolBroken("The provider's compressed answer was cut short.")


def inflater_for(content_encoding: str | None) -> Inflater | None:
    """None where the body is plain. Raises ProtocolBroken for an encoding we cannot read: its bytes never go on."""
    name = (content_encoding or "identity").strip().lower()
    if name in ("", "identity"):
        return None
    if (coding := _CODINGS.get(name)) is None:
        raise ProtocolBroken("The provider compressed its answer in a way that was not asked for.")
    return Inflater(coding)
