"""A whole answer, and a stream of one, in the form of Gemini: both are the same parts, told at once or bit by bit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.events import (
    Aside,
    CanonicalAnswer,
    End,
    Event,
    Failure,
    Finish,
    Start,
    TextRun,
    UsageSnapshot,
    spread,
)
from gaiarouter.canonical.fold import unfold
from gaiarouter.dialects.gemini.encode_candidate import CandidateWriter
from gaiarouter.dialects.gemini.parts import DIALECT
from gaiarouter.dialects.gemini.usage import write_usage
from gaiarouter.dialects.gemini.view import AnswerView

END_OF_EVENT = b"\r\n\r\n"
_OF_CANDIDATE = "candidates["
_json = msgspec.json.Encoder().encode


def event_of(body: bytes) -> bytes:
    """One event of a stream: clients want the blank before the data, no name, and no comment anywhere."""
    return b"data: " + body + END_OF_EVENT


def encode_answer(answer: CanonicalAnswer, view: AnswerView) -> bytes:
    writer = _ResponseWriter(view, streams=False)
    for event in unfold(answer):
        writer.note(event)
    return writer.response(last=True)


class StreamEncoder:
    """One instance per answer. A Failure writes nothing: how a stream ends with an error is its caller's to say."""

    next_number = 0

    def __init__(self, view: AnswerView) -> None:
        self._writer = _ResponseWriter(view, streams=True)

    def encode(self, events: Iterable[Event | TextRun]) -> bytes:
        """All that the events tell is one response."""
        ended = failed = False
        for event in spread(events):
            self._writer.note(event)
            ended = ended or isinstance(event, End)
            failed = failed or isinstance(event, Failure)
        if not ended and not self._writer.has_news:
            return b""
        return event_of(self._writer.response(last=ended and not failed))


class _ResponseWriter:
    """Gathers what events tell until it is written."""

    def __init__(self, view: AnswerView, *, streams: bool) -> None:
        self._view = view
        self._streams = streams
        self._head = view.head("", "")
        self._candidates: dict[int, CandidateWriter] = {}
        self._finishes: dict[int, Finish] = {}
        self._usage: dict[str, Any] = {}
        self._asides: dict[str, Raw] = {}
        self._members: dict[int, dict[str, Any]] = {}
        self.has_news = False

    def note(self, event: Event) -> None:
        match event:
            case Start(id=answer_id, model=model):
                self._head = self._view.head(answer_id, model)
            case UsageSnapshot(usage=usage):
                self._usage = {"usageMetadata": write_usage(usage)}
            case Aside(name=name, raw=raw, dialect=dialect):
                if dialect == DIALECT:
                    self._aside(name, raw)
            case Finish(choice=choice):
                self._finishes[choice] = event
                self._candidate(choice)
            case Failure() | End():
                pass
            case _:
                self._candidate(event.choice).write(event)
                self.has_news = self.has_news or self._candidate(event.choice).has_news

    def response(self, *, last: bool) -> bytes:
        """What was noted since the last one; the last has the endings and the usage."""
        body: dict[str, Any] = {}
        candidates = [written for index in sorted(self._candidates) if (written := self._written(index, last=last))]
        if candidates:
            body["candidates"] = candidates
        body |= self._asides
        if last:
            body |= self._usage
        self._asides = {}
        self.has_news = False
        return _json(body | self._head)

    def _written(self, index: int, *, last: bool) -> dict[str, Any] | None:
        writer = self._candidates[index]
        ended = writer.finish(self._finishes[index]) if last and index in self._finishes else {}
        parts, logprobs = writer.take(), writer.logprobs()
        if not (parts or ended or logprobs):
            return None
        if not parts and self._streams:
            parts = [{"text": ""}]  # clients take a response without parts for a broken one
        content = {"role": "model"} | ({"parts": parts} if parts else {})
        members = self._members.pop(index, {}) | ({"logprobsResult": logprobs} if logprobs else {})
        return {"content": content} | ended | {"index": index} | members

    def _candidate(self, choice: int) -> CandidateWriter:
        found = self._candidates.get(choice)
        if found is None:
            found = self._candidates[choice] = CandidateWriter(self._view, streams=self._streams)
        return found

    def _aside(self, name: str, raw: Raw) -> None:
        index, _, member = name.removeprefix(_OF_CANDIDATE).partition("].")
        if name.startswith(_OF_CANDIDATE):
            self._members.setdefault(int(index), {})[member] = raw
        else:
            self._asides[name] = raw
