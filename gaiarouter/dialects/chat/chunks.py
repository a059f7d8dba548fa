"""Watches a Chat stream pass by: whole events go on as the bytes they came in, and are read for what matters.

Taken out: the usage chunk that was our wish, empty data, and whatever follows the end. Added: `[DONE]`, where every
choice has finished and the provider forgot it. A stream that ends otherwise is an error, never a tidy end.
"""

from __future__ import annotations

import math

import msgspec

from gaiarouter.canonical.usage import Usage, later, token_weight
from gaiarouter.dialects.chat.provider_errors import read_error_in_answer
from gaiarouter.dialects.chat.runs import pieces_of
from gaiarouter.dialects.chat.usage import read_usage
from gaiarouter.dialects.chat.wire import ABSENT, Body, Choice, decode_body, is_truthy
from gaiarouter.dialects.runs import MOST_AT_ONCE, RunReader
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, check_utf8, read_event, write_event
from gaiarouter.errors import BadAnswer, Failed, Interrupted, UpstreamError

DONE_EVENT = b"data: [DONE]\n\n"
_DATA = b"data: "
_NULL_BYTES = 4


class ChatStreamWatcher:
    """Implements dialects.base.StreamWatcher."""

    next_number = 0

    __slots__ = (
        "_drop_usage",
        "_finished_choices",
        "_framer",
        "_is_plain",
        "_open_choices",
        "_runs",
        "_weight",
        "content_started",
        "error",
        "finish_reason",
        "finished",
        "usage",
    )

    def __init__(self, *, drop_usage: bool, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._drop_usage = drop_usage
        self._framer = EventFramer(max_event_bytes)
        self._open_choices: set[int] = set()
        self._finished_choices: set[int] = set()
        self._weight = 0.0
        self._runs = RunReader()
        self._is_plain = False
        """What came last was text alone, as more of it will be."""
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
        whole = self._framer.gather(data)
        passed = self._run(whole)
        if passed is None:
            parts: list[bytes] = self._runs.read(whole, run=self._run, read=self._pass_all)
            passed = b"".join(parts)
        if self._framer.overflowed and not self.finished and self.error is None:
            self.error = BadAnswer(
                "The provider sent an event of over 16 MiB", code="upstream_response_too_large", outcome="too_large"
            )
        return passed

    def _run(self, events: bytes) -> bytes | None:
        """Events that are text alone, noted: they may go on as they are. None where one of them is not, or none
        is expected to be."""
        if not self._is_plain or len(events) > MOST_AT_ONCE or self.finished or self.error:
            return None
        said = []
        for piece in pieces_of(events):
            (choice,) = piece.choices
            delta = choice.delta
            said.append(delta.content or "")
            if delta.reasoning_content:
                said.append(delta.reasoning_content)
            self._open_choices.add(choice.index)
        if text := "".join(said):
            self._weight += token_weight(text)
            self.content_started = True
        return events if said else None

    def _pass_all(self, events: bytes) -> list[bytes]:
        out: list[bytes] = []
        for raw in self._framer.part(events):
            if self.finished or self.error:
                break
            out.append(self._pass(raw))
        return out

    def close(self) -> bytes:
        if self.finished or self.error:
            return b""
        rest = self._framer.close().rstrip(b"\r\n")
        passed = self._pass(rest + b"\n\n") if rest else b""
        return passed if self.finished else passed + self._end()

    def _end(self) -> bytes:
        """Upstream is silent without `[DONE]`. What cannot be read now is an event torn off, not a broken one: it does
        no harm after the last finish reason."""
        if self.error is None or isinstance(self.error, BadAnswer):
            if self._open_choices and self._open_choices == self._finished_choices:
                self.error = None
                self.finished = True
                return DONE_EVENT
            self.error = Interrupted("The provider's stream ended before the answer was complete")
        return b""

    def _pass(self, raw: bytes) -> bytes:
        """What goes on of one event."""
        if raw.startswith(_DATA) and raw.endswith(b"\n\n"):
            body = _read_json(raw[6:])
            if body is not None:
                return raw if self._take(body, raw) else b""
        return self._pass_odd(raw)

    def _pass_odd(self, raw: bytes) -> bytes:
        """An event that is not one line of JSON after `data: `."""
        event = read_event(raw)
        if event.bare:
            self._fail_bare(raw)
            return b""
        if event.data is None:
            return raw if event.plain else b"".join(comment + b"\n" for comment in event.comments)
        data = event.data.strip()
        if not data or data.startswith(b":"):
            return b""  # a keep-alive in the wrong place: official clients take it for broken JSON
        if data == b"[DONE]":
            self._take_done()
            return (raw if event.plain else DONE_EVENT) if self.finished else b""
        body = _read_json(data)
        if body is None:
            self.error = BadAnswer("The provider sent an event that is not JSON of a Chat stream")
            return b""
        if event.name == b"error" and not is_truthy(body.error):
            self.error = read_error_in_answer(data)
            return b""
        if not self._take(body, data):
            return b""
        return raw if event.plain else b"".join(line + b"\n" for line in event.comments) + write_event(data)

    def _take(self, body: Body, data: bytes) -> bool:
        """Note what a chunk says. False if it must not go on."""
        if len(body.usage) > _NULL_BYTES or body.x_groq is not None:
            self._take_usage(body)
        if body.error is not ABSENT and is_truthy(body.error):
            self.error = read_error_in_answer(data.removeprefix(_DATA))
            return False
        choices = body.choices
        if not choices:
            return not (self._drop_usage and len(body.usage) > _NULL_BYTES)
        for choice in choices:
            said = choice.delta
            if said is not None:
                self._weight += said.weight()
                if not self.content_started:
                    self.content_started = said.has_content()
            elif choice.text:
                self._weight += token_weight(choice.text)
                self.content_started = True
            index = choice.index
            if index is None or index not in self._open_choices:
                index = index or 0
                self._open_choices.add(index)
            if choice.finish_reason or choice.error is not ABSENT:
                self._take_ending(index, choice)
        self._is_plain = choices[-1].delta is not None and choices[-1].delta.is_text
        return self.error is None

    def _take_usage(self, body: Body) -> None:
        usage = read_usage(body.usage, body.service_tier) or (read_usage(body.x_groq.usage) if body.x_groq else None)
        self.usage = later(self.usage, usage)  # cumulative where it comes more than once

    def _take_ending(self, index: int, choice: Choice) -> None:
        if choice.finish_reason:
            self._finished_choices.add(index)
            if index == min(self._open_choices):
                self.finish_reason = choice.finish_reason
        if is_truthy(choice.error):
            self.error = read_error_in_answer(b'{"error":' + bytes(choice.error) + b"}")
        elif choice.finish_reason == "error":
            self.error = Failed("The provider's model failed while it answered", outcome="bad_response")

    def _take_done(self) -> None:
        """The provider says that it is done, which counts even without a finish reason, if it said anything at all."""
        if self.content_started or self._finished_choices:
            self.finished = True
        else:
            self.error = BadAnswer("The provider's stream ended without an answer")

    def _fail_bare(self, raw: bytes) -> None:
        body = _read_json(raw)
        if body is not None and is_truthy(body.error):
            self.error = read_error_in_answer(raw)
        else:
            self.error = BadAnswer("The provider sent JSON where events belong")


def _read_json(data: bytes) -> Body | None:
    """None if it is not strict JSON in UTF-8, or a known member is of a type no provider sends."""
    try:
        check_utf8(data)
        return decode_body(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
