"""A Responses stream as canonical events, as its bytes come in.

An item's last event holds it whole: what did not come in pieces is told from there, and what came is not told twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CitationDelta,
    End,
    Event,
    Failure,
    LogprobsDelta,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    UsageSnapshot,
)
from gaiarouter.canonical.parts import AnswerPart, Reasoning, Refusal, Text, ToolCall
from gaiarouter.dialects.logprobs import is_told
from gaiarouter.dialects.responses import form, wire
from gaiarouter.dialects.responses.content import read_citation
from gaiarouter.dialects.responses.errors import read_error_event
from gaiarouter.dialects.responses.plan import AnswerPlan
from gaiarouter.dialects.responses.target_content import finish_of, read_call, read_item, read_piece, read_reasoning
from gaiarouter.dialects.responses.target_response import asides_of, decode_head, decode_output, failure_of
from gaiarouter.dialects.responses.usage import read_usage
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError


class _Event(Struct):
    type: str = ""
    output_index: int | None = None
    content_index: int = 0
    summary_index: int = 0
    item_id: str | None = None
    item: Raw = wire.ABSENT
    part: form.Part | None = None
    delta: Raw = wire.ABSENT
    logprobs: Raw = wire.ABSENT
    annotation: Raw = wire.ABSENT
    response: Raw = wire.ABSENT
    error: Raw = wire.ABSENT


_decode = msgspec.json.Decoder(_Event).decode


@dataclass(slots=True)
class _OpenPart:
    """index: of the part among all of the answer's. told: pieces of its texts that came. citations: how many came."""

    index: int
    part: AnswerPart
    told: set[tuple[bool, int]] = field(default_factory=set)
    citations: int = 0
    logprobs: bool = False


@dataclass(slots=True)
class _OpenItem:
    """parts: by their place in a message; of any other item the only one, at 0."""

    item: form.Item
    parts: dict[int, _OpenPart] = field(default_factory=dict)


class StreamDecoder:
    """One instance per answer. Never raises: what is wrong with a stream is its last event, a Failure.

    finished: the stream has said its last; what follows is not read.
    """

    def __init__(self, plan: AnswerPlan, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._plan = plan
        self._framer = EventFramer(max_event_bytes)
        self._items: dict[int, _OpenItem] = {}
        self._done: set[int] = set()
        self._parts: list[AnswerPart] = []
        self._started = False
        self.finished = False

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for raw in () if self.finished else self._framer.feed(data):
            if not self.finished:
                events += self._read(raw)
        if self._framer.overflowed and not self.finished:
            text = f"The provider sent an event of over {MAX_EVENT_BYTES >> 20} MiB"
            events += self._fail(BadAnswer(text, code="upstream_response_too_large"))
        return events

    def read(self, data: bytes) -> list[Event]:
        return self.feed(data)

    def close(self) -> list[Event]:
        """The bytes are at their end: the rest of the events, and a Failure where the answer was not complete."""
        rest = b"" if self.finished else self._framer.close().rstrip(b"\r\n")
        events = self._read(rest + b"\n\n") if rest else []
        if events and isinstance(events[-1], Failure) and isinstance(events[-1].error, BadAnswer):
            events, self.finished = [], False  # an event cut in two by the end of the bytes
        if self.finished:
            return events
        return [*events, *self._fail(Interrupted("The provider's stream ended before the answer was complete"))]

    def _read(self, raw: bytes) -> list[Event]:
        event = read_event(raw)
        data = raw if event.bare else (event.data or b"").strip()
        if not data or data.startswith(b":"):
            return []
        try:
            if not data.isascii():
                data.decode()
            found = _decode(data)
            if event.bare and not wire.is_given(found.error):
                return self._fail(_not_a_stream())
            if event.name == b"error" or found.type == "error" or wire.is_given(found.error):
                return self._fail(read_error_event(data))
            return self._take(found)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._fail(_not_a_stream())

    def _take(self, event: _Event) -> list[Event]:
        """The events that one of theirs stands for."""
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                return self._text(event)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return self._thought(event)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                return self._arguments(event)
            case "response.output_text.annotation.added":
                return self._citation(event)
            case "response.output_item.added":
                return self._open(self._at(event), event.item)
            case "response.content_part.added":
                return self._begin_part(event)
            case "response.output_item.done":
                return self._end_item(self._at(event), event.item)
            case "response.completed" | "response.incomplete" | "response.failed":
                return self._end(event.response)
            case _:
                return self._start(event.response) if wire.is_given(event.response) else []

    def _start(self, raw: Raw) -> list[Event]:
        if self._started:
            return []
        self._started = True
        head = decode_head(raw) if wire.is_given(raw) else decode_head(b"{}")
        created = None if head.created_at is None else int(head.created_at)
        return [Start(head.id or "", head.model or "", created)]

    def _at(self, event: _Event) -> int:
        """The item that is meant: by its place, or by its id."""
        if event.output_index is not None:
            return event.output_index
        known = (at for at, each in self._items.items() if each.item.id == event.item_id)
        return next(known, max(self._items, default=0))

    def _open(self, at: int, raw: Raw) -> list[Event]:
        item = form.decode_item(raw)
        opened = self._items[at] = _OpenItem(item)
        events = self._start(wire.ABSENT)
        match item.type:
            case "reasoning":
                bare = msgspec.structs.replace(read_reasoning(item), visible=(), summary=(), sealed=())
                return events + self._begin(opened, 0, bare)
            case "function_call" | "custom_tool_call":
                call = msgspec.structs.replace(read_call(item, self._plan), arguments="")
                return events + self._begin(opened, 0, call)
            case _:
                return events

    def _begin(self, item: _OpenItem, place: int, part: AnswerPart) -> list[Event]:
        index = len(self._parts)
        self._parts.append(part)
        item.parts[place] = _OpenPart(index, part)
        return [PartStart(index, part)]

    def _begin_part(self, event: _Event) -> list[Event]:
        item = self._items.get(self._at(event))
        if item is None or item.item.type != "message" or event.part is None or event.content_index in item.parts:
            return []
        found = read_piece(event.part, item.item)
        return [each for part in found for each in self._begin(item, event.content_index, _bare(part))]

    def _text(self, event: _Event) -> list[Event]:
        item = self._items.setdefault(self._at(event), _OpenItem(form.Item(type="message", id=event.item_id)))
        begun: list[Event] = self._start(wire.ABSENT)
        if event.content_index not in item.parts:
            id_, phase = item.item.id, item.item.phase
            refusal = event.type == "response.refusal.delta"
            part = Refusal(text="", item_id=id_) if refusal else Text(text="", item_id=id_, phase=phase)
            begun += self._begin(item, event.content_index, part)
        opened, text = item.parts[event.content_index], form.text_of(event.delta)
        if isinstance(opened.part, Text) and is_told(event.logprobs):
            opened.logprobs = True
            begun.append(LogprobsDelta(opened.index, event.logprobs))
        if text:
            opened.told.add((False, 0))
            begun.append(TextDelta(opened.index, text))
        return begun

    def _only_part(self, event: _Event) -> _OpenPart | None:
        item = self._items.get(self._at(event))
        return item.parts.get(0) if item else None

    def _thought(self, event: _Event) -> list[Event]:
        opened, text = self._only_part(event), form.text_of(event.delta)
        if opened is None or not isinstance(opened.part, Reasoning) or not text:
            return []
        summary = event.type == "response.reasoning_summary_text.delta"
        piece = event.summary_index if summary else event.content_index
        opened.told.add((summary, piece))
        return [ReasoningDelta(opened.index, text, piece, summary)]

    def _arguments(self, event: _Event) -> list[Event]:
        opened, text = self._only_part(event), form.text_of(event.delta)
        if opened is None or not isinstance(opened.part, ToolCall) or not text:
            return []
        opened.told.add((False, 0))
        return [ArgumentsDelta(opened.index, text)]

    def _citation(self, event: _Event) -> list[Event]:
        item = self._items.get(self._at(event))
        opened = item.parts.get(event.content_index) if item else None
        if opened is None or not isinstance(opened.part, Text) or not wire.is_given(event.annotation):
            return []
        opened.citations += 1
        return [CitationDelta(opened.index, read_citation(event.annotation))]

    def _end_item(self, at: int, raw: Raw) -> list[Event]:
        """What of the item has not been told yet."""
        if at in self._done or not wire.is_given(raw):
            return []
        self._done.add(at)
        opened = self._items.pop(at, None) or _OpenItem(form.decode_item(raw))
        events = self._start(wire.ABSENT)
        begun = sorted(opened.parts)  # some servers count parts from 1
        for position, part in enumerate(read_item(raw, self._plan)):
            if position == len(begun):
                begun.append(begun[-1] + 1 if begun else 0)
                events += self._begin(opened, begun[-1], _bare(part))
            told = opened.parts[begun[position]]
            events += [*_untold(told, part), PartEnd(told.index)]
        return events

    def _end(self, raw: Raw) -> list[Event]:
        response = wire.decode_response(raw)
        events: list[Event] = self._start(raw)
        usage = read_usage(response.usage, response.service_tier)
        events += [UsageSnapshot(usage)] if usage is not None else []
        if (error := failure_of(response)) is not None:
            return [*events, *self._fail(error)]
        for at, item in enumerate(decode_output(raw).output or ()):
            events += self._end_item(at, item)
        events += [PartEnd(part.index) for item in self._items.values() for part in item.parts.values()]
        self.finished = True
        return [*events, *asides_of(raw), finish_of(response, self._parts), End()]

    def _fail(self, error: UpstreamError) -> list[Event]:
        self.finished = True
        return [Failure(error)]


def _bare(part: AnswerPart) -> AnswerPart:
    """The part as it stands before anything was told of it."""
    match part:
        case Text():
            return msgspec.structs.replace(part, text="", citations=(), logprobs=())
        case Refusal():
            return msgspec.structs.replace(part, text="")
        case Reasoning():
            return msgspec.structs.replace(part, visible=(), summary=(), sealed=())
        case ToolCall():
            return msgspec.structs.replace(part, arguments="")
        case _:
            return part


def _untold(opened: _OpenPart, whole: AnswerPart) -> list[Event]:
    index, told = opened.index, opened.told
    match whole:
        case Text(text=text, citations=citations, logprobs=logprobs):
            events: list[Event] = [LogprobsDelta(index, raw) for raw in (() if opened.logprobs else logprobs)]
            events += [TextDelta(index, text)] if text and not told else []
            return events + [CitationDelta(index, citation) for citation in citations[opened.citations :]]
        case Refusal(text=text):
            return [TextDelta(index, text)] if text and not told else []
        case ToolCall(arguments=arguments):
            return [ArgumentsDelta(index, arguments)] if arguments and not told else []
        case Reasoning(visible=visible, summary=summary, sealed=sealed):
            pieces = [(False, n, text) for n, text in enumerate(visible)]
            pieces += [(True, n, text) for n, text in enumerate(summary)]
            missing = [(of, n, text) for of, n, text in pieces if text and (of, n) not in told]
            texts: list[Event] = [ReasoningDelta(index, text, n, of) for of, n, text in missing]
            return texts + [SealedDelta(index, each) for each in sealed]
        case _:
            return []


def _not_a_stream() -> BadAnswer:
    return BadAnswer("The provider sent an event that is not one of a Responses stream")
