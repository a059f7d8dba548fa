"""Canonical events as a Chat stream: one chunk for what one event adds, and the endings in their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

import msgspec
from msgspec import Raw

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
from gaiarouter.canonical.parts import (
    AnswerPart,
    Audio,
    Citation,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
)
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.chat import view as words
from gaiarouter.dialects.chat.chunks import DONE_EVENT
from gaiarouter.dialects.chat.details import REASONING_GAP, Places, sealed_detail, summary_detail, text_detail
from gaiarouter.dialects.chat.usage import write_usage
from gaiarouter.dialects.chat.view import AnswerView

Delta = dict[str, Any]
_json = msgspec.json.Encoder().encode


class StreamEncoder:
    """One instance per answer. A Failure writes nothing: how a stream ends with an error is its caller's to say."""

    next_number = 0

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._head = b""
        self._tail = b',"usage":null}\n\n' if view.include_usage else b"}\n\n"
        self._choices: dict[int, _ChoiceEncoder] = {}
        self._around: dict[int, tuple[bytes, bytes]] = {}
        self._usage: Usage | None = None

    def encode(self, events: Iterable[Event | TextRun]) -> bytes:
        return b"".join([chunk for event in events for chunk in self._encode(event)])

    def _encode(self, event: Event | TextRun) -> list[bytes]:
        match event:
            case TextRun(index, texts) if self._says(event.choice, index, "".join(texts)):
                before, after = self._around_text(event.choice)
                return [before, (after + before).join(map(_json, texts)), after]
            case TextRun():
                return [chunk for delta in spread([event]) for chunk in self._encode(delta)]
            case TextDelta(index, text) if self._says(event.choice, index, text):
                before, after = self._around_text(event.choice)
                return [before, _json(text), after]
            case Start():
                self._begin(event)
                return self._chunks(0, [])
            case UsageSnapshot(usage=usage):
                self._usage = usage
                return []
            case Aside() | Failure():
                return []
            case Finish():
                encoder = self._choice(event.choice)
                chunks = self._chunks(event.choice, encoder.refusal(event))
                return [*chunks, self._chunk(event.choice, {}, encoder.finish(event))]
            case End():
                return [*self._usage_chunk(), DONE_EVENT]
            case _:
                return self._chunks(event.choice, self._choice(event.choice).deltas(event))

    def _begin(self, start: Start) -> None:
        head = {
            "id": self._view.id_of(start.id),
            "object": "chat.completion.chunk",
            "created": self._view.created if start.created is None else start.created,
            "model": self._view.model or start.model,
        }
        self._head = b"data: " + _json(head)[:-1]

    def _choice(self, index: int) -> _ChoiceEncoder:
        encoder = self._choices.get(index)
        if encoder is None:
            encoder = self._choices[index] = _ChoiceEncoder(self._view)
        return encoder

    def _chunks(self, index: int, deltas: list[Delta]) -> list[bytes]:
        """With the chunk that names the role before the first of a choice."""
        encoder = self._choice(index)
        if not encoder.begun and (deltas or index == 0):
            encoder.begun = True
            deltas = [{"role": "assistant", "content": ""}, *deltas]
        return [self._chunk(index, delta) for delta in deltas]

    def _chunk(self, index: int, delta: Delta, ending: Delta | None = None) -> bytes:
        logprobs = delta.pop("logprobs", None)
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None} | (ending or {})
        return self._head + b',"choices":[' + _json(choice) + b"]" + self._tail

    def _says(self, choice: int, index: int, text: str) -> bool:
        """As of a choice that may not have been heard of yet."""
        known = self._choices.get(choice)
        return known is not None and known.says(index, text)

    def _around_text(self, index: int) -> tuple[bytes, bytes]:
        """What stands before and after a text in nearly every chunk."""
        around = self._around.get(index)
        if around is None:
            before = self._head + b',"choices":[{"index":%d,"delta":{"content":' % index
            after = b'},"logprobs":null,"finish_reason":null}]' + self._tail
            around = self._around[index] = (before, after)
        return around

    def _usage_chunk(self) -> list[bytes]:
        if not self._view.include_usage or self._usage is None:
            return []
        return [self._head + b',"choices":[],"usage":' + _json(write_usage(self._usage)) + b"}\n\n"]


class _OpenPart:
    """A part that is being told. at: of a call, its position among the calls; of thinking, its index. position: as of
    Reasoning. start, length: of a text, in the characters of the whole content."""

    __slots__ = ("at", "citations", "length", "part", "position", "start")

    def __init__(self, part: AnswerPart, start: int) -> None:
        self.part = part
        self.at = 0
        self.position: int | None = None
        self.start = start
        self.length = 0
        self.citations: list[Citation] = []


class _ChoiceEncoder:
    """One choice: which deltas tell an event."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._parts: dict[int, _OpenPart] = {}
        self._places = Places()
        self._length = 0
        self._thought: tuple[int, bool, int] | None = None
        self._beside: dict[str, int] = {}
        self._spoke_refusal = False
        self.begun = False

    def deltas(self, event: PartStart | PartEnd | PartDelta) -> list[Delta]:
        match event:
            case PartStart(index=index, part=part):
                opened = self._parts[index] = _OpenPart(part, self._length)
                return self._start(opened)
            case PartEnd(index=index):
                return self._end(self._parts.pop(index))
            case _:
                return self._more(self._parts[event.index], event)

    def says(self, index: int, text: str) -> bool:
        """Whether it is more of a text in a choice that has begun; it is counted as told then."""
        opened = self._parts[index]
        if not self.begun or not text or not isinstance(opened.part, Text):
            return False
        self._text(opened, text)
        return True

    def refusal(self, finish: Finish) -> list[Delta]:
        text = words.refusal_text(finish, spoke_refusal=self._spoke_refusal)
        return [{"refusal": text}] if text else []

    def finish(self, finish: Finish) -> Delta:
        word = words.finish_word(finish, spoke_refusal=self._spoke_refusal, view=self._view)
        return {"finish_reason": word, **words.ending(finish)}

    def _start(self, opened: _OpenPart) -> list[Delta]:
        part = opened.part
        match part:
            case Text(text=text):
                opened.citations += part.citations
                return self._text(opened, text) + [_logprobs(raw) for raw in part.logprobs]
            case Refusal(text=text):
                self._spoke_refusal = True
                return [{"refusal": text}] if text else []
            case Audio(transcript=transcript):
                return self._text(opened, transcript or "")
            case Reasoning():
                return self._reasoning(opened, part)
            case ToolCall():
                return self._call(opened, part)
            case Image():
                return self._listed("images", [words.picture(part)])
            case Opaque(dialect=dialect, raw=raw):
                return self._listed("provider_blocks", [{"dialect": dialect, "block": raw}])
            case _:
                assert_never(part)

    def _more(self, opened: _OpenPart, event: PartDelta) -> list[Delta]:
        match event:
            case TextDelta(text=text):
                return [{"refusal": text}] if isinstance(opened.part, Refusal) else self._text(opened, text)
            case ReasoningDelta(text=text, piece=piece, summary=summary):
                return self._thinking(opened, text, piece, summary=summary)
            case ArgumentsDelta(text=text):
                return self._arguments(opened, text)
            case SealedDelta(sealed=sealed):
                return self._sealed(opened, sealed)
            case CitationDelta(citation=citation):
                opened.citations.append(citation)
                return []
            case LogprobsDelta(raw=raw):
                return [_logprobs(raw)]
            case OpaqueDelta():
                return []
            case _:
                assert_never(event)

    def _end(self, opened: _OpenPart) -> list[Delta]:
        """What a text was taken from is told when its length is known."""
        end = opened.start + opened.length
        urls = [words.url_annotation(each, opened.start, end) for each in opened.citations if each.kind == "url"]
        others = [words.other_citation(each) for each in opened.citations if each.kind != "url"]
        return self._listed("annotations", urls) + self._listed("citations", others)

    def _listed(self, name: str, entries: list[Delta]) -> list[Delta]:
        """More of a list. Official clients join lists by the index of their entries, and raise where there is none."""
        first = self._beside.get(name, 0)
        self._beside[name] = first + len(entries)
        return [{name: [{"index": first + n, **entry} for n, entry in enumerate(entries)]}] if entries else []

    def _text(self, opened: _OpenPart, text: str) -> list[Delta]:
        if not text:
            return []
        self._places.text()
        opened.length += len(text)
        self._length += len(text)
        return [{"content": text}]

    def _call(self, opened: _OpenPart, call: ToolCall) -> list[Delta]:
        if not words.is_callers(call):
            return []
        opened.at = self._places.call()
        written = words.called(call)
        if not self._view.calls_functions:
            delta: Delta = {"tool_calls": [{"index": opened.at, **written}]}
        elif opened.at == 0:
            delta = {"function_call": written["function"]}
        else:
            return []  # the old form holds one call
        return [delta, *(self._sealed(opened, call.sealed) if call.sealed else ())]

    def _arguments(self, opened: _OpenPart, text: str) -> list[Delta]:
        """Without id, type and name: official clients would join them to what they have."""
        call = opened.part
        if not isinstance(call, ToolCall) or not words.is_callers(call):
            return []
        if self._view.calls_functions:
            return [{"function_call": {"arguments": text}}] if opened.at == 0 else []
        piece: Delta = {"custom": {"input": text}} if call.kind == "custom" else {"function": {"arguments": text}}
        return [{"tool_calls": [{"index": opened.at, **piece}]}]

    def _reasoning(self, opened: _OpenPart, part: Reasoning) -> list[Delta]:
        opened.at, opened.position = self._places.reasoning()
        deltas: list[Delta] = []
        for summary, texts in ((False, part.visible), (True, part.summary)):
            for piece, text in enumerate(texts):
                deltas += self._thinking(opened, text, piece, summary=summary)
        return deltas + [delta for sealed in part.sealed for delta in self._sealed(opened, sealed)]

    def _thinking(self, opened: _OpenPart, text: str, piece: int, *, summary: bool) -> list[Delta]:
        if not text or not self._view.shows_reasoning or not isinstance(opened.part, Reasoning):
            return []
        before, self._thought = self._thought, (opened.at, summary, piece)
        shown = text if before in (None, self._thought) else REASONING_GAP + text
        if summary and piece and before != self._thought:
            text = REASONING_GAP + text
        write = summary_detail if summary else text_detail
        detail = write(text, index=opened.at, format_=opened.part.format, position=opened.position)
        return [{"reasoning_content": shown, "reasoning": shown, "reasoning_details": [detail]}]

    def _sealed(self, opened: _OpenPart, sealed: Sealed) -> list[Delta]:
        if not self._view.shows_reasoning:
            return []
        if isinstance(opened.part, Reasoning):
            detail = sealed_detail(sealed, index=opened.at, position=opened.position)
        else:
            index, position = self._places.reasoning()
            id_ = opened.part.call_id if isinstance(opened.part, ToolCall) else None
            detail = sealed_detail(sealed, index=index, position=position, id_=id_)
        return [{"reasoning_details": [detail]}]


def _logprobs(raw: Raw) -> Delta:
    """Stands beside the delta in the chunk; `StreamEncoder._chunk` takes it out."""
    return {"logprobs": {"content": raw}}
