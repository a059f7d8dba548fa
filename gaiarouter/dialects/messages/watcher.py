"""Watches a Messages stream pass by: whole events go on as the bytes they came in, and are read for what matters.

Taken out: whatever follows the end. Added: `message_stop`, where the provider said why it stopped and forgot that. A
stream that ends otherwise is an error, never a tidy end.
"""

from __future__ import annotations

import math

import msgspec

from gaiarouter.canonical.usage import Usage, later, token_weight
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.messages.encode_events import STOP
from gaiarouter.dialects.messages.errors import read_error_in_answer
from gaiarouter.dialects.messages.usage import UsageTotals
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError


class MessagesStreamWatcher:
    """Implements dialects.base.StreamWatcher."""

    next_number = 0

    __slots__ = (
        "_framer",
        "_totals",
        "_weight",
        "content_started",
        "error",
        "finish_reason",
        "finished",
        "usage",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._framer = EventFramer(max_event_bytes)
        self._totals = UsageTotals()
        self._weight = 0.0
        self.content_started = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None

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
            text = f"The provider sent an event of over {MAX_EVENT_BYTES >> 20} MiB"
            self.error = BadAnswer(text, code="upstream_response_too_large", outcome="too_large")
        return b"".join(out)

    def close(self) -> bytes:
        if self.finished or self.error:
            return b""
        rest = self._framer.close().rstrip(b"\r\n")
        passed = self._pass(rest + b"\n\n") if rest else b""
        return passed + self._end()

    def _end(self) -> bytes:
        """Upstream is silent. What cannot be read now is an event torn off, not a broken one."""
        if self.finished or not (self.error is None or isinstance(self.error, BadAnswer)):
            return b""
        if self.finish_reason is not None:
            self.error, self.finished = None, True
            return STOP
        self.error = Interrupted("The provider's stream ended before the answer was complete")
        return b""

    def _pass(self, raw: bytes) -> bytes:
        """The bytes to send on of one event, after it was read."""
        event = read_event(raw)
        if event.bare:
            self.error = _error_of(raw) or _not_a_stream()
            return b""
        data = (event.data or b"").strip()
        if not data or data.startswith(b":") or data == b"[DONE]":
            return b"" if data == b"[DONE]" else raw
        try:
            self.error = read_error_in_answer(data) if event.name == b"error" else self._read(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.error = None if _is_json(data) else _not_a_stream()
        return b"" if self.error else raw

    def _read(self, data: bytes) -> UpstreamError | None:
        event = wire.decode_event(data)
        match event.type:
            case "content_block_delta":
                self._delta(event.delta)
            case "content_block_start":
                self._begun(wire.decode_block(event.content_block))
            case "message_start":
                message = wire.decode_message(event.message)
                self.usage = later(self.usage, self._totals.take(message.usage))
            case "message_delta":
                self.usage = later(self.usage, self._totals.take(event.usage))
                if event.delta is not None and event.delta.stop_reason is not None:
                    self.finish_reason = event.delta.stop_reason
            case "message_stop":
                self.finished = self.finish_reason is not None
                return None if self.finished else Interrupted("The provider's stream ended without saying why")
            case "ping" | "content_block_stop":
                pass
            case _:
                return _error_of(data)
        return None

    def _delta(self, delta: wire.Delta | None) -> None:
        if delta is None:
            return
        text = delta.text or delta.thinking or delta.partial_json or ""
        self._weight += token_weight(text)
        self.content_started = self.content_started or bool(text)

    def _begun(self, block: wire.Block) -> None:
        self._weight += token_weight(block.text or block.name or "")
        self.content_started = self.content_started or block.type != "text" or bool(block.text)


def _not_a_stream() -> BadAnswer:
    return BadAnswer("The provider sent an event that is not one of a Messages stream")


def _error_of(data: bytes) -> UpstreamError | None:
    try:
        kind = wire.decode_kind(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return read_error_in_answer(data) if kind.type == "error" or wire.is_given(kind.error) else None


def _is_json(data: bytes) -> bool:
    """Of a kind or a shape that nobody has told us of: not ours to judge."""
    try:
        wire.decode_members(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
