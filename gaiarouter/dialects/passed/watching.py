"""Answers that go by as they come: events, and bytes that mean nothing to us."""

from __future__ import annotations

import math

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.chat.provider_errors import read_error_in_answer
from gaiarouter.dialects.chat.wire import ABSENT, is_truthy
from gaiarouter.dialects.passed.answer import read_usage
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError

_ENDINGS = (".done", ".completed")


class ByteWatcher:
    """Implements dialects.base.StreamWatcher for what has no ending of its own: HTTP's is the only one.

    is_text: what comes is something that a model has said.
    """

    finish_reason: str | None = None
    text_tokens = 0
    next_number = 0

    def __init__(self, usage: Usage, *, is_text: bool) -> None:
        self._otherwise = usage
        self._is_text = is_text
        self._size = 0
        self.usage: Usage | None = usage
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        self.content_started = self.content_started or bool(data)
        if self._is_text:
            self._size += len(data)
            self.usage = replace(self._otherwise, out_visible=math.ceil(self._size / 4))
        return data

    def close(self) -> bytes:
        if not self.content_started:
            self.error = BadAnswer("The provider's answer is empty")
        self.finished = self.content_started
        return b""


class _Event(Struct, gc=False):
    type: str = ""
    error: Raw = ABSENT
    usage: Raw = ABSENT


_decode = msgspec.json.Decoder(_Event).decode


class EventWatcher:
    """Implements dialects.base.StreamWatcher for streams of these operations: whole events go on as they came.

    Several things may be done in one stream (pictures), so that it ends where the provider ends it; one in which
    nothing was done by then was cut short. endings: of the types of events that say that something was done.
    """

    finish_reason: str | None = None
    text_tokens = 0

    @property
    def next_number(self) -> int:
        return 0

    def __init__(self, usage: Usage, *, endings: tuple[str, ...] = _ENDINGS) -> None:
        self._endings = endings
        self._framer = EventFramer()
        self._otherwise = usage
        self._done = False
        self.usage: Usage | None = usage
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None

    def feed(self, data: bytes) -> bytes:
        passed = [self._take(raw) for raw in self._framer.feed(data) if self.error is None]
        if self._framer.overflowed:
            self.error = BadAnswer(
                f"The provider sent an event of over {MAX_EVENT_BYTES} bytes",
                code="upstream_response_too_large",
                outcome="too_large",
            )
        return b"".join(passed)

    def close(self) -> bytes:
        rest = self._framer.close().rstrip(b"\r\n")
        whole = rest + b"\n\n"
        passed = self._take(whole) if rest and self.error is None else b""
        if self._done and not isinstance(self.error, UpstreamError):
            self.finished = True
        else:
            self.error = self.error or Interrupted("The provider's stream ended before the answer was complete")
        return passed

    def told(self, event: bytes, data: bytes) -> bytes:
        """How the caller is told an event that says something. data: what it holds."""
        return event

    def _take(self, raw: bytes) -> bytes:
        """What goes on of the event."""
        event = read_event(raw)
        data = (raw if event.bare else event.data or b"").strip()
        if not data:
            return raw if event.data is None else b""  # a comment
        if data == b"[DONE]":
            self._done = True
            return raw
        said = _read(data)
        if said is None or (event.bare and not is_truthy(said.error)):
            self.error = BadAnswer("The provider sent an event that is not JSON")
        elif is_truthy(said.error) or event.name == b"error":
            self.error = read_error_in_answer(data)
        else:
            self.content_started = True
            self._done = self._done or said.type.endswith(self._endings)
            self.usage = read_usage(said.usage, otherwise=self.usage or self._otherwise)
        return self.told(raw, data) if self.error is None else b""


def _read(data: bytes) -> _Event | None:
    """None if it is not strict JSON in UTF-8, or a known member is of a type no provider sends."""
    try:
        data.decode()
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
