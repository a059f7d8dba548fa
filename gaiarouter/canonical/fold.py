"""Events into an answer, and back. Streamed and not streamed answers share their one path through these two."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar, assert_never

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import (
    ArgumentsDelta,
    Aside,
    CanonicalAnswer,
    Choice,
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
    UsageSnapshot,
    said,
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
from gaiarouter.canonical.usage import Usage, later, token_weight
from gaiarouter.errors import Interrupted

_T = TypeVar("_T")


def fold(events: Iterable[Event]) -> CanonicalAnswer:
    """The answer that the events tell.

    Raises the error of a Failure; Interrupted where there is no Start or a choice without its Finish.
    """
    start: Start | None = None
    usage: Usage | None = None
    asides: list[Aside] = []
    parts: dict[tuple[int, int], OpenPart] = {}
    finishes: dict[int, Finish] = {}
    for event in events:
        match event:
            case Start():
                start = event
            case PartStart(index=index, part=part, choice=choice):
                parts[choice, index] = OpenPart(part)
            case PartEnd() | End():
                pass
            case UsageSnapshot(usage=told):
                usage = later(usage, told)
            case Aside():
                asides.append(event)
            case Finish(choice=choice):
                finishes[choice] = event
            case Failure(error=error):
                raise error
            case _:
                parts[event.choice, event.index].take(event)
    choices = _choices(parts, finishes)
    if start is None or not choices:
        raise Interrupted("The provider's answer ended before it was complete")
    return CanonicalAnswer(
        id=start.id, model=start.model, created=start.created, choices=choices, usage=usage, asides=tuple(asides)
    )


def _choices(parts: dict[tuple[int, int], OpenPart], finishes: dict[int, Finish]) -> tuple[Choice, ...]:
    """In their order; none where one of them has not finished."""
    found: dict[int, list[AnswerPart]] = {index: [] for index in sorted(finishes)}
    for (choice, _), part in parts.items():
        if choice not in found:
            return ()
        found[choice].append(part.close())
    return tuple([Choice(index, tuple(said), finishes[index]) for index, said in found.items()])


class OpenPart(Struct):
    """A part and the pieces that came after its start."""

    part: AnswerPart
    text: list[str] = []
    visible: dict[int, list[str]] = {}
    summary: dict[int, list[str]] = {}
    sealed: list[Sealed] = []
    citations: list[Citation] = []
    raw: list[Raw] = []

    def take(self, delta: PartDelta) -> None:
        match delta:
            case TextDelta(text=text) | ArgumentsDelta(text=text):
                self.text.append(text)
            case ReasoningDelta(text=text, piece=piece, summary=summary):
                (self.summary if summary else self.visible).setdefault(piece, []).append(text)
            case SealedDelta(sealed=sealed):
                self.sealed.append(sealed)
            case CitationDelta(citation=citation):
                self.citations.append(citation)
            case LogprobsDelta(raw=raw) | OpaqueDelta(raw=raw):
                self.raw.append(raw)
            case _:
                assert_never(delta)

    def close(self) -> AnswerPart:
        part, more = self.part, "".join(self.text)
        match part:
            case Text() if not self.citations and not self.raw and not self.sealed:
                return msgspec.structs.replace(part, text=part.text + more)
            case Text():
                return msgspec.structs.replace(
                    part,
                    text=part.text + more,
                    citations=(*part.citations, *self.citations),
                    logprobs=(*part.logprobs, *self.raw),
                    sealed=_last(self.sealed, part.sealed),
                )
            case Refusal():
                return msgspec.structs.replace(part, text=part.text + more)
            case Audio():
                return msgspec.structs.replace(part, transcript=(part.transcript or "") + more) if more else part
            case Reasoning():
                return msgspec.structs.replace(
                    part,
                    visible=_extended(part.visible, self.visible),
                    summary=_extended(part.summary, self.summary),
                    sealed=(*part.sealed, *self.sealed),
                )
            case ToolCall():
                arguments, sealed = part.arguments + more, _last(self.sealed, part.sealed)
                return msgspec.structs.replace(part, arguments=arguments, sealed=sealed)
            case Opaque():
                return msgspec.structs.replace(part, deltas=(*part.deltas, *self.raw))
            case Image():
                return part
            case _:
                assert_never(part)


def _extended(texts: tuple[str, ...], more: dict[int, list[str]]) -> tuple[str, ...]:
    length = max(len(texts), *(piece + 1 for piece in more), 0)
    return tuple((texts[piece] if piece < len(texts) else "") + "".join(more.get(piece, ())) for piece in range(length))


def _last(found: list[_T], otherwise: _T | None) -> _T | None:
    return found[-1] if found else otherwise


def unfold(answer: CanonicalAnswer) -> Iterator[Event]:
    """The events that tell `answer`: each part whole, as one delta of each kind."""
    yield Start(answer.id, answer.model, answer.created)
    for choice in answer.choices:
        for index, part in enumerate(choice.parts):
            yield from _told(index, part, choice.index)
            yield PartEnd(index, choice.index)
    if answer.usage is not None:
        yield UsageSnapshot(answer.usage)
    yield from answer.asides
    for choice in answer.choices:
        yield choice.finish
    yield End()


def text_tokens(answer: CanonicalAnswer) -> int:
    """Estimated tokens of all that it says."""
    return math.ceil(sum(token_weight(said(event)) for event in unfold(answer)))


def _told(index: int, part: AnswerPart, choice: int) -> Iterator[Event]:
    match part:
        case Text():
            bare = msgspec.structs.replace(part, text="", citations=(), logprobs=(), sealed=None)
            yield PartStart(index, bare, choice)
            if part.text:
                yield TextDelta(index, part.text, choice)
            if part.sealed:
                yield SealedDelta(index, part.sealed, choice)
            yield from (LogprobsDelta(index, raw, choice) for raw in part.logprobs)
            yield from (CitationDelta(index, citation, choice) for citation in part.citations)
        case Refusal(text=text):
            yield PartStart(index, msgspec.structs.replace(part, text=""), choice)
            yield TextDelta(index, text, choice)
        case Reasoning():
            yield PartStart(index, msgspec.structs.replace(part, visible=(), summary=(), sealed=()), choice)
            for piece, text in enumerate(part.visible):
                yield ReasoningDelta(index, text, piece, False, choice)
            for piece, text in enumerate(part.summary):
                yield ReasoningDelta(index, text, piece, True, choice)
            yield from (SealedDelta(index, sealed, choice) for sealed in part.sealed)
        case ToolCall(arguments=arguments):
            yield PartStart(index, msgspec.structs.replace(part, arguments=""), choice)
            if arguments:
                yield ArgumentsDelta(index, arguments, choice)
        case Audio() | Image() | Opaque():
            yield PartStart(index, part, choice)
        case _:
            assert_never(part)
