"""Watches a Responses stream pass by: whole events go on as the bytes they came in, and are read for what matters.

Taken out: empty data, errors (the gateway tells them itself), and whatever follows the end. A stream without the event
that ends it is an error, never a tidy end.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from gaiarouter.canonical.usage import Usage, later
from gaiarouter.dialects.responses.errors import read_error_event, read_error_object
from gaiarouter.dialects.responses.usage import read_usage
from gaiarouter.dialects.responses.wire import Event, Item, Response, decode_event, is_given, number_after
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError

_ENDINGS = frozenset({"response.completed", "response.incomplete"})


class ResponsesStreamWatcher:
    """Implements dialects.base.StreamWatcher. told: how the caller is told an event that holds the answer around it, of
    its bytes and its data. ending: the data of the event that ended the stream."""

    def __init__(
        self,
        *,
        max_event_bytes: int = MAX_EVENT_BYTES,
        told: Callable[[bytes, bytes], bytes] = lambda event, data: event,
    ) -> None:
        self._framer = EventFramer(max_event_bytes)
        self._told = told
        self._weight = 0.0
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.ending = b""
        self._last = b""
        """What the last event held."""

    @property
    def next_number(self) -> int:
        return number_after(self._last)

    @property
    def text_tokens(self) -> int:
        return math.ceil(self._weight)

    def feed(self, data: bytes) -> bytes:
        if self.finished or self.error:
            return b""
        out: list[bytes] = []
        for raw in self._framer.feed(data):
            out.append(self._pass(raw))
            if self.finished or self.error:
                return b"".join(out)
        if self._framer.overflowed:
            self.error = BadAnswer(
                "The provider sent an event of over 16 MiB", code="upstream_response_too_large", outcome="too_large"
            )
        return b"".join(out)

    def close(self) -> bytes:
        if self.finished or self.error:
            return b""
        rest = self._framer.close().rstrip(b"\r\n")
        passed = self._pass(rest + b"\n\n") if rest else b""
        return passed if self.finished else self._end()

    def _end(self) -> bytes:
        """Upstream is silent without an ending. What cannot be read now is an event torn off, not a broken one."""
        if self.error is None or isinstance(self.error, BadAnswer):
            self.error = Interrupted("The provider's stream ended before the answer was complete")
        return b""

    def _pass(self, raw: bytes) -> bytes:
        """What goes on of one event."""
        event = read_event(raw)
        if event.data is None and not event.bare:
            return raw
        data = raw if event.bare else (event.data or b"").strip()
        if not data or data.startswith(b":"):
            return b""
        if data == b"[DONE]":
            self.error = BadAnswer("The provider's stream ended without an answer")
            return b""
        found = _read(data)
        if found is None or (event.bare and not is_given(found.error)):
            self.error = BadAnswer("The provider sent an event that is not one of a Responses stream")
        elif event.name == b"error":
            self.error = read_error_event(data)
        else:
            self._take(found, data)
            self._last = data
            if found.response is not None:
                raw = self._told(raw, data)
        return b"" if self.error else raw

    def _take(self, event: Event, data: bytes) -> None:
        if event.type == "error" or is_given(event.error):
            self.error = read_error_event(data)
        elif event.type.endswith(".delta"):
            if len(event.delta) > len(b'""'):
                self._weight += len(event.delta) / 4
                self.content_started = True
        elif event.type == "response.output_item.added":
            self._take_item(event.item or Item())
        elif event.response is not None:
            self._take_response(event.type, event.response, data)

    def _take_item(self, item: Item) -> None:
        """Thinking, a call, or a tool of the provider's; a message has begun with its first text."""
        self.content_started = self.content_started or item.type != "message"
        self._weight += item.weight()

    def _take_response(self, kind: str, response: Response, data: bytes) -> None:
        self.usage = later(self.usage, read_usage(response.usage, response.service_tier))
        if kind == "response.failed" or is_given(response.error):
            self.error = read_error_object(response.error)
        elif kind in _ENDINGS:
            self.finished = True
            self.finish_reason = response.reason()
            self.ending = data


def _read(data: bytes) -> Event | None:
    """None if it is not strict JSON in UTF-8, or a known member is of a type no provider sends."""
    try:
        if not data.isascii():
            data.decode()  # the decoder skips what it does not read, broken UTF-8 too
        return decode_event(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
