"""One choice of an answer as parts of a Gemini candidate, as its events come.

A call is told whole, and so is what it was thought before: the format has no pieces of either. Signatures stand on the
part that they came on; what another provider thought goes into one of the gateway's own.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    CitationDelta,
    Finish,
    LogprobsDelta,
    OpaqueDelta,
    PartDelta,
    PartEnd,
    PartStart,
    ReasoningDelta,
    SealedDelta,
    TextDelta,
)
from gaiarouter.canonical.fold import OpenPart
from gaiarouter.canonical.parts import AnswerPart, Audio, Image, Opaque, Reasoning, Refusal, Sealed, Text, ToolCall
from gaiarouter.dialects.gemini import view as words
from gaiarouter.dialects.gemini.foreign import Place, wrap
from gaiarouter.dialects.gemini.parts import DIALECT, SIGNATURE_FORMAT
from gaiarouter.dialects.gemini.sources import Sources
from gaiarouter.dialects.gemini.view import AnswerView

Part = dict[str, Any]


class CandidateWriter:
    """streams: texts are told piece by piece."""

    def __init__(self, view: AnswerView, *, streams: bool) -> None:
        self._view = view
        self._pieces = streams and not view.bare_choice
        self._parts: list[Part] = []
        self._open: dict[int, _Open] = {}
        self._things = 0
        self._run: int | None = None
        """Characters of the text under way."""
        self._thoughts: list[tuple[Place, Reasoning]] = []
        self._malformed: str | None = None
        self._logprobs: list[Raw] = []
        self._sources = Sources()

    @property
    def has_news(self) -> bool:
        return bool(self._parts)

    def take(self) -> list[Part]:
        """What has been told since the last time."""
        parts, self._parts = self._parts, []
        return parts

    def logprobs(self) -> dict[str, Any] | None:
        """Of what has been told since the last time."""
        raws, self._logprobs = self._logprobs, []
        return words.logprobs_result(raws) if raws else None

    def write(self, event: PartStart | PartDelta | PartEnd) -> None:
        match event:
            case PartStart(index=index, part=part):
                self._begin(index, part)
            case PartEnd(index=index):
                if (opened := self._open.pop(index, None)) is not None:
                    self._end(opened)
            case _:
                if (opened := self._open.get(event.index)) is not None:
                    self._more(opened, event)

    def finish(self, finish: Finish) -> dict[str, Any]:
        """The candidate's last members, after its last parts."""
        for opened in self._open.values():
            self._end(opened)
        self._open.clear()
        self._leave_thoughts()
        ended = words.ending(finish)
        if self._malformed is not None and finish.reason not in ("length", "context_length"):
            ended = {"finishReason": words.MALFORMED, "finishMessage": self._malformed}
        grounding = self._sources.metadata()
        return ended | ({"groundingMetadata": grounding} if grounding else {})

    def _begin(self, index: int, part: AnswerPart) -> None:
        opened = self._open[index] = _Open(part)
        match part:
            case Text(text=text, citations=citations):
                for citation in citations:
                    self._sources.cite(index, citation)
                self._text(index, opened, text)
            case Refusal(text=text):
                self._text(index, opened, text)
            case Reasoning():
                opened.place = Place(self._things, self._run or 0)
                self._thought(opened, "".join((*part.visible, *part.summary)))
            case Image() | Audio() | ToolCall() | Opaque():
                pass  # told at its end

    def _more(self, opened: _Open, event: PartDelta) -> None:
        match event:
            case TextDelta(index=index, text=text):
                self._text(index, opened, text)
            case ReasoningDelta(text=text):
                opened.whole.take(event)
                self._thought(opened, text)
            case SealedDelta(sealed=sealed):
                opened.whole.take(event)
                self._seal(opened, sealed)
            case CitationDelta(index=index, citation=citation):
                self._sources.cite(index, citation)
            case LogprobsDelta(raw=raw):
                self._logprobs.append(raw)
            case ArgumentsDelta() | OpaqueDelta():
                opened.whole.take(event)

    def _text(self, index: int, opened: _Open, text: str) -> None:
        if isinstance(opened.part, Audio):
            opened.held.append(text)
            return
        self._sources.say(index, text)
        if not text:
            return
        self._run = (self._run or 0) + len(text)
        if self._pieces:
            self._piece(opened, {"text": text})
        else:
            opened.held.append(text)

    def _thought(self, opened: _Open, text: str) -> None:
        if not text or not self._view.shows_thoughts:
            return
        if self._pieces:
            self._piece(opened, {"text": text, "thought": True})
        else:
            opened.held.append(text)

    def _piece(self, opened: _Open, part: Part) -> None:
        """More of what the last part tells, or a part of its own."""
        if opened.told is not None and self._parts and self._parts[-1] is opened.told:
            opened.told["text"] += part["text"]
        else:
            opened.told = part
            self._parts.append(part)

    def _seal(self, opened: _Open, sealed: Sealed) -> None:
        """Of a text that is told piece by piece: on its last piece, or behind it."""
        if not self._pieces or not isinstance(opened.part, Text | Reasoning) or sealed.format != SIGNATURE_FORMAT:
            return
        if opened.told is None or not self._parts or self._parts[-1] is not opened.told:
            thought = {"thought": True} if isinstance(opened.part, Reasoning) else {}
            self._parts.append({"text": ""} | thought)
        self._parts[-1]["thoughtSignature"] = sealed.data
        opened.told = None

    def _end(self, opened: _Open) -> None:
        part = opened.whole.close()
        match part:
            case Text(sealed=sealed):
                self._held(opened, {}, sealed)
            case Refusal():
                self._held(opened, {}, None)
            case Reasoning(format=format_) if format_ == SIGNATURE_FORMAT:
                self._held(opened, {"thought": True}, part.sealed[-1] if part.sealed else None)
            case Reasoning():
                self._held(opened, {"thought": True}, None)
                self._thoughts.append((opened.place, part))
            case ToolCall() if words.is_callers(part):
                self._call(part)
            case Image() | Audio():
                self._media(opened, part)
            case Opaque(dialect=dialect, raw=raw) if dialect == DIALECT:
                self._tell(dict(msgspec.json.decode(raw, type=dict[str, Raw])))
            case ToolCall() | Opaque():
                pass  # the provider's own

    def _held(self, opened: _Open, members: Part, sealed: Sealed | None) -> None:
        """A text that was not told piece by piece."""
        signature = {"thoughtSignature": sealed.data} if sealed and sealed.format == SIGNATURE_FORMAT else {}
        text = "".join(opened.held)
        if self._pieces or not (text or signature):
            return
        self._parts.append({"text": words.bare(text) if self._view.bare_choice else text} | members | signature)

    def _call(self, call: ToolCall) -> None:
        arguments = words.arguments_of(call)
        if arguments is None:
            self._malformed = call.arguments
            return
        body = {"id": call.call_id} if call.call_id else {}
        signature = self._signature(call.sealed)
        self._tell({"functionCall": body | {"name": call.name, "args": arguments}} | signature)

    def _media(self, opened: _Open, part: Image | Audio) -> None:
        told = words.media_part(part)
        transcript = "".join((part.transcript or "", *opened.held)) if isinstance(part, Audio) else ""
        if told is not None:
            self._tell(told | self._signature(part.sealed if isinstance(part, Image) else None))
        elif transcript:
            self._tell({"text": transcript})

    def _tell(self, part: Part) -> None:
        self._things += 1 if self._run is None else 2
        self._run = None
        self._parts.append(part)

    def _signature(self, sealed: Sealed | None) -> Part:
        thoughts, self._thoughts = self._thoughts, []
        if sealed is not None and sealed.format == SIGNATURE_FORMAT:
            return {"thoughtSignature": sealed.data}
        return {"thoughtSignature": wrap(thoughts, sealed)} if thoughts or sealed is not None else {}

    def _leave_thoughts(self) -> None:
        """Behind the last text, unless nobody would miss them: they matter to whoever sealed them, or before a call."""
        if not any(thought.sealed for _, thought in self._thoughts):
            return
        if not (self._parts and "text" in self._parts[-1] and self._parts[-1].keys().isdisjoint(_NOT_PLAIN)):
            self._parts.append({"text": ""})
        self._parts[-1] |= self._signature(None)


_NOT_PLAIN = frozenset({"thought", "thoughtSignature"})


class _Open:
    """A part under way. told: its last piece, while nothing else was told. held: what is told at its end."""

    __slots__ = ("held", "part", "place", "told", "whole")

    def __init__(self, part: AnswerPart) -> None:
        self.part = part
        self.whole = OpenPart(part)
        self.held: list[str] = []
        self.told: Part | None = None
        self.place = Place()
