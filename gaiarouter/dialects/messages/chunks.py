"""A stream of the Messages format as canonical events, as its bytes come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    Aside,
    CitationDelta,
    End,
    Event,
    Failure,
    OpaqueDelta,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    TextRun,
    UsageSnapshot,
)
from gaiarouter.canonical.parts import AnswerPart, Opaque, Reasoning, Sealed, Text, ToolCall
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.messages.blocks import DIALECT, THINKING_FORMAT
from gaiarouter.dialects.messages.content import finish_of, read_citation, read_part, written_text
from gaiarouter.dialects.messages.errors import read_error_in_answer
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.runs import text_run
from gaiarouter.dialects.messages.usage import UsageTotals
from gaiarouter.dialects.runs import RunReader
from gaiarouter.dialects.sse import MAX_EVENT_BYTES, EventFramer, check_utf8, read_event
from gaiarouter.errors import BadAnswer, Interrupted, UpstreamError

_KNOWN = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
_READ_OF_MESSAGE = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)
_READ_OF_DELTA = frozenset({"type", "delta", "usage", "stop_reason", "stop_sequence", "stop_details"})


@dataclass(slots=True)
class _OpenBlock:
    """A block between its start and its stop.

    held: pieces of arguments that only make sense together. begun_with: arguments that came with the start.
    given: more of them came. signature: the last one, which holds.
    """

    part: AnswerPart
    hidden: bool
    begun_with: str = ""
    held: list[str] | None = None
    signature: str = ""
    given: bool = False


class StreamDecoder:
    """One instance per answer. Never raises: what is wrong with a stream is its last event, a Failure.

    finished: the stream has said its last; what follows is not read. _text: the open block that began last, if a text.
    """

    def __init__(self, plan: AnswerPlan, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._plan = plan
        self._framer = EventFramer(max_event_bytes)
        self._runs = RunReader()
        self._usage = UsageTotals()
        self._blocks: dict[int, _OpenBlock] = {}
        self._text: int | None = None
        self._started = False
        self._stop: wire.Delta | None = None
        self._calls = False
        self._hidden = False
        self.finished = False

    def feed(self, data: bytes) -> list[Event]:
        return [] if self.finished else self._read_all(self._framer.gather(data)) + self._overflow()

    def read(self, data: bytes) -> Sequence[Event | TextRun]:
        if self.finished:
            return []
        whole = self._framer.gather(data)
        told = self._runs.read(whole, run=self._run, read=self._read_all)
        return [*told, *self._overflow()] if self._framer.overflowed else told

    def _run(self, whole: bytes) -> TextRun | None:
        run = text_run(whole) if self._text is not None and not self.finished else None
        return run if run is not None and run.index == self._text else None

    def _read_all(self, whole: bytes) -> list[Event]:
        events: list[Event] = []
        for raw in self._framer.part(whole):
            if not self.finished:
                events += self._read(raw)
        return events

    def _overflow(self) -> list[Event]:
        if self.finished or not self._framer.overflowed:
            return []
        text = f"The provider sent an event of over {MAX_EVENT_BYTES >> 20} MiB"
        return self._fail(BadAnswer(text, code="upstream_response_too_large"))

    def close(self) -> list[Event]:
        """The bytes are at their end: the rest of the events, and a Failure where the answer was not complete."""
        rest = b"" if self.finished else self._framer.close().rstrip(b"\r\n")
        events = self._read(rest + b"\n\n") if rest else []
        if events and _is_torn(events[-1]):
            events = []  # an event cut in two by the end of the bytes
        elif self.finished:
            return events
        if self._stop is not None:
            return [*events, *self._end()]  # why it stopped is known, only the farewell is missing
        return [*events, *self._fail(Interrupted("The provider's stream ended before the answer was complete"))]

    def _read(self, raw: bytes) -> list[Event]:
        event = read_event(raw)
        if event.bare:
            return self._fail(read_error_in_answer(raw) if _holds_error(raw) else _not_a_stream())
        data = (event.data or b"").strip()
        if not data or data.startswith(b":") or data == b"[DONE]":
            return []
        if event.name == b"error":
            return self._fail(read_error_in_answer(data))
        try:
            check_utf8(data)
            return self._take(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [] if _is_unknown(data) else self._fail(_not_a_stream())

    def _take(self, data: bytes) -> list[Event]:
        """The events that one of theirs stands for."""
        event = wire.decode_event(data)
        index = event.index or 0
        match event.type:
            case "content_block_delta":
                return self._delta(index, event.delta, data)
            case "content_block_start":
                return self._open(index, event.content_block)
            case "content_block_stop":
                return self._stop_block(index)
            case "message_start":
                return self._start(event.message)
            case "message_delta":
                return self._message_delta(event, data)
            case "message_stop":
                return self._end()
            case "error":
                return self._fail(read_error_in_answer(data))
            case _:
                return self._fail(read_error_in_answer(data)) if _holds_error(data) else []

    def _start(self, raw: Raw) -> list[Event]:
        message = wire.decode_message(raw)
        self._started = True
        events: list[Event] = [Start(message.id or "", message.model or "")]
        members = wire.decode_members(raw)
        events += (
            Aside(name, raw, DIALECT)
            for name, raw in members.items()
            if name not in _READ_OF_MESSAGE and wire.is_given(raw)
        )
        return events + self._usage_events(message.usage)

    def _open(self, index: int, raw: Raw) -> list[Event]:
        part = read_part(raw, self._plan)
        hidden = self._plan.hidden is not None and isinstance(part, Text) and wire.decode_block(raw).type == "tool_use"
        block = self._blocks[index] = _OpenBlock(part, hidden)
        self._text = index if isinstance(part, Text) else None
        match part:
            case Text(text=text) if hidden:
                self._hidden = True
                block.begun_with, part = text, Text(text="")
            case ToolCall(arguments=arguments, kind=kind):
                self._calls = True
                block.begun_with, block.held = arguments, [] if kind == "custom" else None
                part = msgspec.structs.replace(part, arguments="")
            case Reasoning(sealed=(Sealed(kind="signature", data=data),)):
                block.signature, part = data, msgspec.structs.replace(part, sealed=())
            case Opaque(raw=raw) if "input" in wire.decode_members(raw):
                block.held = []
                return self._ensured_start()  # it begins when its arguments are complete, and ends at once
            case _:
                pass
        return [*self._ensured_start(), PartStart(index, part)]

    def _ensured_start(self) -> list[Event]:
        if self._started:
            return []
        self._started = True
        return [Start("", "")]

    def _delta(self, index: int, delta: wire.Delta | None, data: bytes) -> list[Event]:
        block = self._blocks.get(index)
        if block is None or delta is None:
            return []
        match delta:
            case wire.Delta(type="text_delta", text=str(text)) if isinstance(block.part, Text):
                return [TextDelta(index, text)] if text else []
            case wire.Delta(type="input_json_delta", partial_json=str(text)):
                return self._arguments(index, block, text) if text else []
            case wire.Delta(type="thinking_delta", thinking=str(text)) if isinstance(block.part, Reasoning):
                return [ReasoningDelta(index, text)] if text else []
            case wire.Delta(type="signature_delta", signature=str(text)):
                block.signature = text
                return []
            case wire.Delta(type="citations_delta") if isinstance(block.part, Text) and wire.is_given(delta.citation):
                return [CitationDelta(index, read_citation(delta.citation))]
            case _ if isinstance(block.part, Opaque) and block.held is None:
                return [OpaqueDelta(index, wire.decode_raw_delta(data).delta)]
            case _:
                return []

    def _arguments(self, index: int, block: _OpenBlock, text: str) -> list[Event]:
        block.given = True
        if block.held is not None:
            block.held.append(text)
            return []
        if isinstance(block.part, ToolCall):
            return [ArgumentsDelta(index, text)]
        return [TextDelta(index, text)] if block.hidden else []

    def _stop_block(self, index: int) -> list[Event]:
        block = self._blocks.pop(index, None)
        if block is None:
            return []
        self._text = None
        events: list[Event] = []
        if isinstance(block.part, Opaque) and block.held is not None:
            events.append(PartStart(index, _with_input(block.part, "".join(block.held))))
        if block.signature:
            events.append(SealedDelta(index, Sealed("signature", THINKING_FORMAT, block.signature)))
        if isinstance(block.part, ToolCall) and (block.held is not None or not block.given):
            arguments = "".join(block.held or ()) or block.begun_with
            events.append(ArgumentsDelta(index, written_text(block.part.kind, arguments)))
        if block.hidden and not block.given:
            events.append(TextDelta(index, block.begun_with or "{}"))
        return [*events, PartEnd(index)]

    def _message_delta(self, event: wire.StreamEvent, data: bytes) -> list[Event]:
        if event.delta is not None and event.delta.stop_reason is not None:
            self._stop = event.delta
        members = wire.decode_members(data)
        if "delta" in members and bytes(members["delta"]) != b"null":
            members |= wire.decode_members(members["delta"])
        events: list[Event] = self._ensured_start()
        events += (
            Aside(name, raw, DIALECT)
            for name, raw in members.items()
            if name not in _READ_OF_DELTA and wire.is_given(raw)
        )
        return events + self._usage_events(event.usage)

    def _usage_events(self, raw: Raw) -> list[Event]:
        usage = self._usage.take(raw)
        return [UsageSnapshot(usage)] if usage is not None else []

    def _end(self) -> list[Event]:
        if self._stop is None:
            return self._fail(Interrupted("The provider's stream ended without saying why"))
        events = [event for index in list(self._blocks) for event in self._stop_block(index)]
        self.finished = True
        finish = finish_of(
            self._stop.stop_reason,
            stop_sequence=self._stop.stop_sequence,
            details=self._stop.stop_details,
            calls=self._calls,
            hidden=self._hidden,
        )
        return [*events, finish, End()]

    def _fail(self, error: UpstreamError) -> list[Event]:
        self.finished = True
        return [Failure(error)]


def _with_input(part: Opaque, arguments: str) -> Opaque:
    try:
        msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return part  # nothing came, or a limit cut it short
    members = wire.decode_members(part.raw) | {"input": Raw(arguments.encode())}
    return msgspec.structs.replace(part, raw=Raw(msgspec.json.encode(members)))


def _not_a_stream() -> BadAnswer:
    return BadAnswer("The provider sent an event that is not one of a Messages stream")


def _holds_error(data: bytes) -> bool:
    try:
        return wire.is_given(wire.decode_kind(data).error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _is_unknown(data: bytes) -> bool:
    """JSON of a kind that nobody has told us of: not ours to judge."""
    try:
        return wire.decode_kind(data).type not in _KNOWN
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _is_torn(event: Event) -> bool:
    return isinstance(event, Failure) and isinstance(event.error, BadAnswer)
