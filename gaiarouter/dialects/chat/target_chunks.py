"""A stream in Chat's form as canonical events, as its bytes come in."""

from __future__ import annotations

import msgspec

from gaiarouter.canonical.events import End, Event, Failure, Start, UsageSnapshot
from gaiarouter.dialects.chat import spoken
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.provider_errors import read_error_in_answer
from gaiarouter.dialects.chat.target_choice import ChoiceReader
from gaiarouter.dialects.chat.target_response import seconds_of
from gaiarouter.dialects.chat.usage import read_usage
from gaiarouter.dialects.chat.wire import is_truthy
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, check_utf8, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError

_NOT_A_STREAM = "The provider sent an event that is not one of a Chat stream"


class StreamDecoder:
    """One instance per answer. Never raises: what is wrong with a stream is its last event, a Failure.

    Why an answer ended is told at its very end: an error may still come after a finish reason, and counts.
    """

    def __init__(self, plan: AnswerPlan, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._plan = plan
        self._framer = EventFramer(max_event_bytes)
        self._choices: dict[int, ChoiceReader] = {}
        self._started = False
        self.finished = False

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for raw in () if self.finished else self._framer.feed(data):
            if not self.finished:
                events += self._read(raw)
        if self._framer.overflowed and not self.finished:
            text = f"The provider sent an event of over {MAX_EVENT_BYTES >> 20} MiB"
            events += self._fail(BadAnswer(text, code="upstream_response_too_large", outcome="too_large"))
        return events

    def read(self, data: bytes) -> list[Event]:
        return self.feed(data)

    def close(self) -> list[Event]:
        """The bytes are at their end: the rest of the events, and a Failure where the answer was not complete."""
        if self.finished:
            return []
        rest = self._framer.close().rstrip(b"\r\n")
        events = self._read(rest + b"\n\n") if rest else []
        if events and isinstance(events[-1], Failure) and isinstance(events[-1].error, BadAnswer):
            events, self.finished = [], False  # an event cut in two by the end of the bytes
        return events if self.finished else [*events, *self._end(told=False)]

    def _read(self, raw: bytes) -> list[Event]:
        event = read_event(raw)
        if event.bare:
            return self._fail(self._error_of(raw) or BadAnswer(_NOT_A_STREAM))
        data = (event.data or b"").strip()
        if not data or data.startswith(b":"):
            return []
        if data == b"[DONE]":
            return self._end(told=True)
        if event.name == b"error":
            return self._fail(read_error_in_answer(data))
        try:
            check_utf8(data)
            return self._take(spoken.decode_body(data), data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._fail(BadAnswer(_NOT_A_STREAM))
        except UpstreamError as error:
            return self._fail(error)

    def _take(self, chunk: spoken.Body, data: bytes) -> list[Event]:
        if is_truthy(chunk.error):
            return self._fail(read_error_in_answer(data))
        events: list[Event] = []
        if chunk.choices and not self._started:
            self._started = True
            events.append(Start(chunk.id or "", chunk.model or "", seconds_of(chunk.created)))
        for choice in chunk.choices or ():
            if is_truthy(choice.error):
                return [*events, *self._fail(read_error_in_answer(b'{"error":' + bytes(choice.error) + b"}"))]
            events += self._choice(choice.index or 0).read(choice, choice.delta or choice.message)
        raw = chunk.usage if spoken.is_given(chunk.usage) or chunk.x_groq is None else chunk.x_groq.usage
        usage = read_usage(raw, chunk.service_tier) if spoken.is_given(raw) else None
        return [*events, UsageSnapshot(usage)] if usage is not None else events

    def _choice(self, index: int) -> ChoiceReader:
        reader = self._choices.get(index)
        if reader is None:
            reader = self._choices[index] = ChoiceReader(index, self._plan)
        return reader

    def _end(self, *, told: bool) -> list[Event]:
        """told: the provider said that it is done. Then an answer without a reason for its end is one all the same."""
        readers = [reader for _, reader in sorted(self._choices.items())]
        whole = readers and all(reader.is_finished or (told and reader.has_content) for reader in readers)
        if not whole:
            return self._fail(Interrupted("The provider's stream ended before the answer was complete"))
        events: list[Event] = []
        endings: list[Event] = []
        try:
            for reader in readers:
                *rest, finish = reader.close()
                events += rest
                endings.append(finish)
        except UpstreamError as error:
            return [*events, *self._fail(error)]
        self.finished = True
        return [*events, *endings, End()]

    def _error_of(self, raw: bytes) -> UpstreamError | None:
        try:
            return read_error_in_answer(raw) if is_truthy(spoken.decode_body(raw).error) else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _fail(self, error: UpstreamError) -> list[Event]:
        self.finished = True
        return [Failure(error)]
