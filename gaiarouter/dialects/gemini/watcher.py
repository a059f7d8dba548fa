"""Watches a Gemini stream pass by: whole events go on as the bytes they came in, and are read for what matters.

Nothing is taken out and nothing added. The format has no sign of its end: a stream is complete if its bytes end after
every candidate has given its reason, and everything else is an error.
"""

from __future__ import annotations

import math

import msgspec

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.gemini.errors import error_in, read_error_in_answer
from gaiarouter.dialects.gemini.watched import Watched
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError


class GeminiStreamWatcher:
    """Implements dialects.base.StreamWatcher."""

    next_number = 0

    __slots__ = ("_framer", "_watched", "content_started", "error", "finish_reason", "finished", "usage")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._framer = EventFramer(max_event_bytes)
        self._watched = Watched()
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None

    @property
    def text_tokens(self) -> int:
        return math.ceil(self._watched.weight)

    def feed(self, data: bytes) -> bytes:
        if self.finished or self.error:
            return b""
        out: list[bytes] = []
        for raw in self._framer.feed(data):
            out.append(self._pass(raw))
            if self.error:
                return b"".join(out)
        if self._framer.overflowed:
            text = f"The provider sent an event of over {MAX_EVENT_BYTES >> 20} MiB"
            self.error = BadAnswer(text, code="upstream_response_too_large", outcome="too_large")
        return b"".join(out)

    def close(self) -> bytes:
        if self.finished or self.error:
            return b""
        rest = self._framer.close().rstrip(b"\r\n")
        passed = self._pass(rest + b"\r\n\r\n") if rest else b""
        torn = isinstance(self.error, BadAnswer)
        if self.error is None or torn:
            self.error, self.finished = None, self._watched.is_complete
        if not self.finished and self.error is None:
            self.error = Interrupted("The provider's stream ended before the answer was complete")
        return passed

    def _pass(self, raw: bytes) -> bytes:
        """The bytes to send on of one event, after it was read. No client of this format bears comments."""
        event = read_event(raw)
        if event.bare:
            self.error = _error_of(raw.strip())
            return b""
        data = (event.data or b"").strip()
        if not data or data.startswith(b":") or data == b"[DONE]":
            return b""
        if event.name == b"error":
            self.error = read_error_in_answer(data)
            return b""
        try:
            self._read(data)
        except UpstreamError as error:
            self.error = error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.error = _error_of(data)
        if self.error:
            return b""
        return raw if event.plain and not event.comments else b"data: " + data.replace(b"\n", b" ") + b"\r\n\r\n"

    def _read(self, data: bytes) -> None:
        """Raises as Watched.read does."""
        watched = self._watched
        watched.read(data)
        self.content_started = watched.content_started
        self.usage = watched.usage
        self.finish_reason = watched.finish_reason


def _error_of(data: bytes) -> UpstreamError:
    if error_in(data) is not None:
        return read_error_in_answer(data)
    return BadAnswer("The provider sent an event that is not one of a Gemini stream")
