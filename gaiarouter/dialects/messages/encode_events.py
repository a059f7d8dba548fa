"""Canonical events as a stream of Messages: one block open at a time, numbered without a gap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    Aside,
    CitationDelta,
    End,
    Event,
    Failure,
    Finish,
    LogprobsDelta,
    OpaqueDelta,
    PartDelta,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    Start,
    TextDelta,
    TextRun,
    UsageSnapshot,
    spread,
)
from gaiarouter.canonical.parts import Audio, Citation, Image, Opaque, Reasoning, Refusal, Sealed, Text, ToolCall
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.messages import view as words
from gaiarouter.dialects.messages.blocks import DIALECT, THINKING_FORMAT
from gaiarouter.dialects.messages.foreign import wrap, wrapped
from gaiarouter.dialects.messages.usage import write_usage
from gaiarouter.dialects.messages.view import AnswerView

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_OF_DELTA = frozenset({"container"})
"""What of a message's end stands in its `delta`; all else stands beside that."""
_json = msgspec.json.Encoder().encode


def _event(kind: str, **members: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + _json({"type": kind, **members}) + b"\n\n"


class StreamEncoder:
    """One instance per answer. A Failure writes nothing: how a stream ends with an error is its caller's to say.

    Of the parts of an answer only one is told at a time; what comes of another meanwhile waits until that has ended.
    """

    next_number = 0

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._start: Start | None = None
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._asides: dict[str, Any] = {}
        self._blocks = _Blocks(view)
        self._open: int | None = None
        self._waiting: dict[int, list[PartStart | PartDelta | PartEnd]] = {}

    def encode(self, events: Iterable[Event | TextRun]) -> bytes:
        return b"".join(piece for event in spread(events) for piece in self._encode(event))

    def _encode(self, event: Event) -> list[bytes]:
        match event:
            case Start():
                self._start = event
                return []
            case UsageSnapshot(usage=usage):
                self._usage = usage
                return []
            case Aside(name=name, raw=raw, dialect=dialect):
                if dialect == DIALECT:
                    self._asides[name] = raw
                return []
            case Failure():
                return []
            case Finish(choice=choice):
                if choice == 0:
                    self._finish = event
                return self._begin()
            case End():
                return [*self._begin(), *self._close(), *self._ending()]
            case _:
                return [*self._begin(), *self._part(event)] if event.choice == 0 else []

    def _begin(self) -> list[bytes]:
        """The head of the message, before its first content: by then a provider that counts at once has counted."""
        if self._start is None:
            return []
        start, self._start = self._start, None
        asides, self._asides = self._asides, {}
        message = {
            "id": self._view.id_of(start.id),
            "type": "message",
            "role": "assistant",
            "model": self._view.model or start.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": words.first_usage(self._usage, self._view),
            **asides,
        }
        return [_event("message_start", message=message), PING]

    def _part(self, event: PartStart | PartDelta | PartEnd) -> list[bytes]:
        if self._open is not None and event.index != self._open:
            self._waiting.setdefault(event.index, []).append(event)
            return []
        self._open = event.index
        written = self._blocks.write(event)
        if isinstance(event, PartEnd):
            self._open = None
            written += self._next()
        return written

    def _next(self) -> list[bytes]:
        """What waited for the part that has ended, up to the first part that has not."""
        written: list[bytes] = []
        while self._waiting and self._open is None:
            index = next(iter(self._waiting))
            for event in self._waiting.pop(index):
                self._open = None if isinstance(event, PartEnd) else index
                written += self._blocks.write(event)
        return written

    def _close(self) -> list[bytes]:
        """All that is still open, or waits: its end was not told."""
        written: list[bytes] = []
        while self._open is not None:
            written += self._part(PartEnd(self._open))
        return written

    def _ending(self) -> list[bytes]:
        delta = words.ending(self._finish) if self._finish else {"stop_reason": "end_turn", "stop_sequence": None}
        beside = {name: self._asides.pop(name) for name in _OF_DELTA & self._asides.keys()}
        usage = write_usage(self._usage) if self._usage else {"output_tokens": 0}
        return [_event("message_delta", delta=delta | beside, usage=usage, **self._asides), STOP]


class _Blocks:
    """Writes the events of one part after another. A part may be no block, or two."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._ids = words.CallIds()
        self._is_summary = False
        self._part: Text | Refusal | Audio | Image | Reasoning | ToolCall | Opaque | None = None
        self._next = 0
        self._is_open = False
        self._seals: list[Sealed] = []
        self._held: list[str] = []

    def write(self, event: PartStart | PartDelta | PartEnd) -> list[bytes]:
        match event:
            case PartStart(part=part):
                self._part, self._seals, self._held = part, [], []
                self._is_summary = isinstance(part, Reasoning) and bool(part.summary)
                return self._begin()
            case PartEnd():
                written = self._end()
                self._part = None
                return written
            case _:
                return self._more(event)

    def _begin(self) -> list[bytes]:
        match self._part:
            case Text(text=text, citations=citations):
                own = [each for each in citations if each.dialect == DIALECT]
                return [*self._text(text), *(piece for each in own for piece in self._citation(each))]
            case Refusal(text=text) | Audio(transcript=str(text)):
                return self._text(text)
            case Reasoning() as part if self._view.shows_thinking:
                return self._thinking(part)
            case ToolCall() as call if words.is_callers(call):
                return self._call(call)
            case Opaque(dialect=dialect, raw=raw) if dialect == DIALECT:
                return [self._opened(raw)]
            case _:
                return []

    def _more(self, event: PartDelta) -> list[bytes]:
        match event:
            case TextDelta(text=text):
                return self._text(text)
            case ReasoningDelta(text=text, summary=summary):
                self._is_summary = summary
                return [self._delta("thinking_delta", thinking=text)] if self._is_open and text else []
            case ArgumentsDelta(text=text):
                return self._arguments(text)
            case SealedDelta(sealed=sealed):
                self._seals.append(sealed)
                return []
            case CitationDelta(citation=citation):
                return self._citation(citation) if citation.dialect == DIALECT else []
            case OpaqueDelta(raw=raw):
                return [_event("content_block_delta", index=self._next, delta=raw)] if self._is_open else []
            case LogprobsDelta():
                return []

    def _end(self) -> list[bytes]:
        part, shows = self._part, self._view.shows_thinking
        match part:
            case Reasoning() if self._is_open:
                return [*self._signature(part), *self._closed()]
            case ToolCall(kind="custom") if self._is_open:
                text = _json({"input": part.arguments + "".join(self._held)}).decode()
                return [self._delta("input_json_delta", partial_json=text), *self._closed()]
            case ToolCall() if shows and self._is_open and self._seals:
                call_id = self._ids.last
                return [*self._closed(), *(piece for seal in self._seals for piece in self._seal(seal, call_id))]
            case Text() if shows:
                own = (part.sealed,) if part.sealed else ()
                return [*self._closed(), *(piece for seal in (*own, *self._seals) for piece in self._seal(seal, None))]
            case _:
                return self._closed()

    def _text(self, text: str) -> list[bytes]:
        if not text:
            return []
        return [*self._opened_text(), self._delta("text_delta", text=text)]

    def _opened_text(self) -> list[bytes]:
        """Not before there is something to tell: a block without text is more than clients can bear."""
        return [] if self._is_open else [self._opened({"type": "text", "text": ""})]

    def _thinking(self, part: Reasoning) -> list[bytes]:
        self._seals += part.sealed
        redacted = next(
            (each for each in part.sealed if each.kind == "redacted" and each.format == THINKING_FORMAT), None
        )
        if redacted is not None:
            self._seals = []
            return [self._opened({"type": "redacted_thinking", "data": redacted.data}), *self._closed()]
        texts = "".join((*part.visible, *part.summary))
        opened = self._opened({"type": "thinking", "thinking": "", "signature": ""})
        return [opened, *([self._delta("thinking_delta", thinking=texts)] if texts else [])]

    def _signature(self, part: Reasoning) -> list[bytes]:
        if part.format == THINKING_FORMAT:
            own = next((each.data for each in reversed(self._seals) if each.format == THINKING_FORMAT), "")
        else:
            own = wrap(wrapped(part, tuple(self._seals), is_summary=self._is_summary))
        return [self._delta("signature_delta", signature=own)] if own else []

    def _call(self, call: ToolCall) -> list[bytes]:
        call_id = self._ids.of(call)
        sealed = self._seal(call.sealed, call_id) if call.sealed and self._view.shows_thinking else []
        opened = self._opened(words.tool_use(call, call_id=call_id, input_=msgspec.Raw(b"{}")))
        return [*sealed, opened, *(self._arguments(call.arguments) if call.kind != "custom" else ())]

    def _arguments(self, text: str) -> list[bytes]:
        if not self._is_open or not text:
            return []
        if isinstance(self._part, ToolCall) and self._part.kind == "custom":
            self._held.append(text)
            return []
        return [self._delta("input_json_delta", partial_json=text)]

    def _seal(self, sealed: Sealed, call_id: str | None) -> list[bytes]:
        block = words.seal_block(sealed, call_id=call_id)
        opened = self._opened(block | {"signature": ""})
        return [opened, self._delta("signature_delta", signature=block["signature"]), *self._closed()]

    def _citation(self, citation: Citation) -> list[bytes]:
        return [*self._opened_text(), self._delta("citations_delta", citation=citation.raw)]

    def _opened(self, block: Any) -> bytes:
        self._is_open = True
        return _event("content_block_start", index=self._next, content_block=block)

    def _delta(self, kind: str, **members: Any) -> bytes:
        return _event("content_block_delta", index=self._next, delta={"type": kind, **members})

    def _closed(self) -> list[bytes]:
        if not self._is_open:
            return []
        self._is_open = False
        self._next += 1
        return [_event("content_block_stop", index=self._next - 1)]
