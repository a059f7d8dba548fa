"""An answer that is one text, as most are, in Chat's form. `encode` writes the same of it, and everything else."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.parts import Text
from gaiarouter.dialects.chat.usage import UsageObject, write_usage
from gaiarouter.dialects.chat.view import REASONS, AnswerView

_TELLS_MORE: Final = ("tool_calls", "refusal", "content_filter", "pause")
"""Endings that depend on what was said, or have members of their own."""
_WORDS: Final = {reason: word for reason, word in REASONS.items() if reason not in _TELLS_MORE}


class _Message(Struct, gc=False, kw_only=True):
    role: str = "assistant"
    content: str
    refusal: None = None
    annotations: tuple[()] = ()


class _Choice(Struct, gc=False, kw_only=True):
    index: int
    message: _Message
    logprobs: None = None
    finish_reason: str


class _Answer(Struct, gc=False, kw_only=True):
    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: tuple[_Choice]
    usage: UsageObject | UnsetType
    system_fingerprint: None = None


_encode = msgspec.json.Encoder().encode


def write_plain(answer: CanonicalAnswer, view: AnswerView) -> bytes | None:
    """None for any other answer."""
    if len(answer.choices) != 1:
        return None
    choice, usage = answer.choices[0], answer.usage
    word = _WORDS.get(choice.finish.reason)
    if word is None or len(choice.parts) != 1:
        return None
    said = choice.parts[0]
    if type(said) is not Text or said.citations or said.logprobs or said.sealed is not None:
        return None
    told = _Answer(
        id=view.id_of(answer.id),
        created=view.created if answer.created is None else answer.created,
        model=view.model or answer.model,
        choices=(_Choice(index=choice.index, message=_Message(content=said.text), finish_reason=word),),
        usage=UNSET if usage is None else write_usage(usage),
    )
    return _encode(told)
