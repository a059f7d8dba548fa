"""A stream of the Gemini format as canonical events, as its bytes come in.

It comes as events, or, where nobody asked for those, as one JSON array. An error may stand in either as bare JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from gaiarouter.canonical.events import Event, Failure, TextRun, spread
from gaiarouter.dialects.gemini.errors import error_in, read_error_in_answer
from gaiarouter.dialects.gemini.json_stream import ObjectFramer
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.reader import AnswerReader
from gaiarouter.dialects.runs import RunReader
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, check_utf8, read_event, sole_data
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError

_BLANK = b"\xef\xbb\xbf \t\r\n"


class StreamDecoder:
    """One instance per answer. Never raises: what is wrong with a stream is its last event, a Failure.

    finished: the stream has said its last; what follows is not read.
    """

    def __init__(self, plan: AnswerPlan, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._reader = AnswerReader(plan)
        self._limit = max_event_bytes
        self._events = EventFramer(max_event_bytes)
        self._runs = RunReader()
        self._objects: ObjectFramer | None = None
        self._begun = False
        self.finished = False

    def feed(self, data: bytes) -> list[Event]:
        return [*self._reader.owed(), *spread(self._told(data, self._events_of))]

    def read(self, data: bytes) -> Sequence[Event | TextRun]:
        return self._told(data, self._runs_of)

    def _told(self, data: bytes, read: Callable[[bytes], Sequence[Event | TextRun]]) -> Sequence[Event | TextRun]:
        """read: what whole events say."""
        if self.finished:
            return []
        if not self._begun:
            data = self._begin(data)
        if self._objects is not None:
            return self._read_all(self._objects.feed(data), overflowed=self._objects.overflowed)
        told = read(self._events.gather(data))
        return [*told, *self._read_all([], overflowed=True)] if self._events.overflowed else told

    def _runs_of(self, whole: bytes) -> list[Event | TextRun]:
        return self._runs.read(whole, run=self._run, read=self._events_of)

    def _begin(self, data: bytes) -> bytes:
        """What is left of the first bytes; they say how the stream comes."""
        data = data.lstrip(_BLANK)
        self._begun = bool(data)
        if data[:1] in (b"[", b"{"):
            self._objects = ObjectFramer(self._limit)
        return data

    def _run(self, whole: bytes) -> TextRun | None:
        return None if self.finished else self._reader.run(whole)

    def _events_of(self, whole: bytes) -> list[Event]:
        events: list[Event] = []
        for raw in self._events.part(whole):
            if not self.finished:
                events += self._event(raw)
        return events

    def close(self) -> list[Event]:
        """The bytes are at their end: the rest of the events, and a Failure where the answer was not complete."""
        if self.finished:
            return []
        events = self._rest()
        if events and isinstance(events[-1], Failure):
            return events
        self.finished = True
        if not self._reader.is_complete:
            return [*events, Failure(Interrupted("The provider's stream ended before the answer was complete"))]
        try:
            return [*events, *self._reader.close()]
        except UpstreamError as error:
            return [*events, Failure(error)]

    def _rest(self) -> list[Event]:
        """An event without its blank line; none where the end of the bytes cut it in two."""
        rest = self._events.close().rstrip(b"\r\n")
        events = self._event(rest + b"\n\n") if rest else []
        torn = events and isinstance(events[-1], Failure) and isinstance(events[-1].error, BadAnswer)
        return [] if torn else events

    def _event(self, raw: bytes) -> list[Event]:
        if (data := sole_data(raw)) is not None and data.startswith(b"{"):
            return self._read(data)
        event = read_event(raw)
        if event.bare:
            data = raw.strip()
            return self._fail(read_error_in_answer(data) if error_in(data) is not None else _not_a_stream())
        data = (event.data or b"").strip()
        if not data or data.startswith(b":") or data == b"[DONE]":
            return []
        if event.name == b"error":
            return self._fail(read_error_in_answer(data))
        return self._read(data)

    def _read_all(self, objects: list[bytes], *, overflowed: bool) -> list[Event]:
        events: list[Event] = []
        for data in objects:
            if not self.finished:
                events += self._read(data)
        if overflowed and not self.finished:
            text = f"The provider sent an event of over {MAX_EVENT_BYTES >> 20} MiB"
            events += self._fail(BadAnswer(text, code="upstream_response_too_large"))
        return events

    def _read(self, data: bytes) -> list[Event]:
        try:
            check_utf8(data)
            return self._reader.read(data)
        except UpstreamError as error:
            return self._fail(error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._fail(read_error_in_answer(data) if error_in(data) is not None else _not_a_stream())

    def _fail(self, error: UpstreamError) -> list[Event]:
        self.finished = True
        return [*self._reader.owed(), Failure(error)]


def _not_a_stream() -> BadAnswer:
    return BadAnswer("The provider sent an event that is not one of a Gemini stream")
