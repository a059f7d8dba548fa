"""A whole answer that is one text, as most are, read in one go. `response` reads the same of it, and all else."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import CanonicalAnswer, Choice
from gaiarouter.canonical.parts import Text
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.messages.content import finish_of
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.usage import read_usage


class _Block(Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["text"]
    text: str
    citations: None = None


class _Message(Struct, gc=False, forbid_unknown_fields=True):
    content: tuple[_Block]
    id: str | None = None
    type: Literal["message"] | None = None
    role: Literal["assistant"] | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: wire.StopDetails | None = None
    usage: Raw = wire.ABSENT


_decode = msgspec.json.Decoder(_Message).decode


def read_plain(body: bytes, plan: AnswerPlan) -> CanonicalAnswer | None:
    """None for any other answer."""
    try:
        message = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    finish = finish_of(
        message.stop_reason,
        stop_sequence=message.stop_sequence,
        details=message.stop_details,
        calls=False,
        hidden=plan.hidden is not None,
    )
    return CanonicalAnswer(
        id=message.id or "",
        model=message.model or "",
        choices=(Choice(0, (Text(text=message.content[0].text),), finish),),
        usage=read_usage(message.usage),
    )
