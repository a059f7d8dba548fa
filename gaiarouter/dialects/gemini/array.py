"""A stream as one JSON array, for callers that do not ask for events."""

from __future__ import annotations

from typing import Final

from gaiarouter.dialects.sse import EventFramer, read_event


class ArrayFraming:
    """Implements server.framing.Framing. One instance per answer: its elements are the stream's events."""

    media_type: Final = "application/json; charset=utf-8"
    keepalive: Final = b"\r\n"

    def __init__(self) -> None:
        self._framer = EventFramer()
        self._begun = False

    def frame(self, data: bytes) -> bytes:
        """data: whole events."""
        elements = [found for raw in self._framer.feed(data) if (found := read_event(raw).data) is not None]
        return b"".join(self._separator() + element for element in elements)

    def end(self) -> bytes:
        return b"]" if self._begun else b"[]"

    def _separator(self) -> bytes:
        if self._begun:
            return b",\r\n"
        self._begun = True
        return b"["
