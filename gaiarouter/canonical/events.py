"""What a model says while it speaks. An answer that is not streamed is the same events, folded.

Order: Start; for each part PartStart, its deltas, PartEnd; Finish for each choice; End. Usage, asides and the parts of
several choices may come in between. Nothing follows a Failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Raw, Struct

from gaiarouter.canonical.parts import AnswerPart, Citation, Reasoning, Refusal, Sealed, Text, ToolCall
from gaiarouter.canonical.usage import Usage
from gaiarouter.errors import UpstreamError

Reason = Literal[
    "stop",
    "stop_sequence",
    "length",
    "context_length",
    "tool_calls",
    "refusal",
    "content_filter",
    "pause",
    "error",
    "other",
]


class Start(Struct, frozen=True):
    """id: the provider's. created: seconds since 1970, where it said so."""

    id: str
    model: str
    created: int | None = None


class PartStart(Struct, frozen=True):
    """`part` holds what is known at its start, and often all of it. `index` is unique within the choice."""

    index: int
    part: AnswerPart
    choice: int = 0


class TextDelta(Struct, frozen=True):
    """More of a text, of a refusal, or of an audio's transcript."""

    index: int
    text: str
    choice: int = 0


class ReasoningDelta(Struct, frozen=True):
    """More of a piece of thinking. piece: which of its texts."""

    index: int
    text: str
    piece: int = 0
    summary: bool = False
    choice: int = 0


class SealedDelta(Struct, frozen=True):
    """A whole seal: of a piece of thinking one more, of a text or a call the only one."""

    index: int
    sealed: Sealed
    choice: int = 0


class ArgumentsDelta(Struct, frozen=True):
    index: int
    text: str
    choice: int = 0


class CitationDelta(Struct, frozen=True):
    index: int
    citation: Citation
    choice: int = 0


class LogprobsDelta(Struct, frozen=True):
    """A list of tokens as the provider wrote it."""

    index: int
    raw: Raw
    choice: int = 0


class OpaqueDelta(Struct, frozen=True):
    index: int
    raw: Raw
    choice: int = 0


class PartEnd(Struct, frozen=True):
    index: int
    choice: int = 0


class UsageSnapshot(Struct, frozen=True):
    """The totals so far; the last one holds."""

    usage: Usage


class Aside(Struct, frozen=True):
    """A member of the provider's answer that has no place here. dialect: whose callers know it."""

    name: str
    raw: Raw
    dialect: str = ""


class Finish(Struct, frozen=True, kw_only=True):
    """Why a choice ended. native: the provider's word. category, explanation: of a refusal, where the provider says."""

    reason: Reason
    native: str | None = None
    stop_sequence: str | None = None
    category: str | None = None
    explanation: str | None = None
    choice: int = 0


class Failure(Struct, frozen=True):
    error: UpstreamError


class End(Struct, frozen=True):
    """The provider's own ending was seen, or all choices had finished."""


PartDelta = TextDelta | ReasoningDelta | SealedDelta | ArgumentsDelta | CitationDelta | LogprobsDelta | OpaqueDelta
Event = Start | PartStart | PartDelta | PartEnd | UsageSnapshot | Aside | Finish | Failure | End


class TextRun(Struct, frozen=True):
    """No event of its own, but what several TextDeltas in a row say, for who tells them at once. No text is empty."""

    index: int
    texts: list[str]
    choice: int = 0


def spread(told: Iterable[Event | TextRun]) -> Iterator[Event]:
    """Events only."""
    for each in told:
        if isinstance(each, TextRun):
            yield from (TextDelta(each.index, text, each.choice) for text in each.texts)
        else:
            yield each


class Choice(Struct, frozen=True):
    index: int
    parts: tuple[AnswerPart, ...]
    finish: Finish


class CanonicalAnswer(Struct, frozen=True, kw_only=True):
    """A whole answer. usage: None where the provider sent none."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    created: int | None = None
    usage: Usage | None = None
    asides: tuple[Aside, ...] = ()


def said(event: Event) -> str:
    """The text that an event adds, of whatever kind, for estimates."""
    match event:
        case TextDelta(text=text) | ReasoningDelta(text=text) | ArgumentsDelta(text=text):
            return text
        case PartStart(part=Text(text=text)) | PartStart(part=Refusal(text=text)):
            return text
        case PartStart(part=ToolCall(name=name, arguments=arguments)):
            return name + arguments
        case PartStart(part=Reasoning(visible=visible, summary=summary)):
            return "".join(visible + summary)
        case _:
            return ""


def is_content(event: Event) -> bool:
    """Whether the model has begun to answer: with text, a call, thinking (even if withheld), or a tool of its own."""
    match event:
        case PartStart(part=Text() | Refusal()):
            return bool(said(event))
        case PartStart():
            return True
        case _:
            return bool(said(event))
