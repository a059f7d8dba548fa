"""A whole answer of the Messages format as a canonical one."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gaiarouter.canonical.events import Aside, CanonicalAnswer, Choice
from gaiarouter.canonical.fold import text_tokens
from gaiarouter.canonical.parts import ToolCall
from gaiarouter.canonical.usage import believed
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.messages.blocks import DIALECT
from gaiarouter.dialects.messages.content import complete, finish_of, read_part
from gaiarouter.dialects.messages.errors import read_error_in_answer
from gaiarouter.dialects.messages.plain_answer import read_plain
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.usage import read_usage
from gaiarouter.errors import BadAnswer

_ERROR = b'"error"'
"""Stands in every answer that tells an error."""
_READ = frozenset({"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"})


def read_answer(body: bytes) -> Answer:
    """Read a 200 body that goes on as it came. Raises BadAnswer, or the error object that it holds."""
    answer = decode_answer(body, AnswerPlan())
    said = text_tokens(answer) if believed(answer.usage) is None else 0
    return Answer(body=body, usage=answer.usage, text_tokens=said, finish_reason=answer.choices[0].finish.native)


def decode_answer(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """`body`: of a 200. Raises BadAnswer, or the error object that it holds."""
    try:
        if not body.isascii():
            body.decode()
        return read_plain(body, plan) or read_any(body, plan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the Messages format") from error


def read_any(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """Raises msgspec.DecodeError or RecursionError for what is not of this format, and as `decode_answer`."""
    if _ERROR in body:
        _raise_told(body)
    message, members = wire.decode_message(body), wire.decode_members(body)
    if message.content is None:
        raise BadAnswer("The provider's answer holds no content")
    parts = tuple([complete(read_part(raw, plan)) for raw in message.content])
    finish = finish_of(
        message.stop_reason,
        stop_sequence=message.stop_sequence,
        details=message.stop_details,
        calls=ToolCall in {type(part) for part in parts},
        hidden=plan.hidden is not None,
    )
    return CanonicalAnswer(
        id=message.id or "",
        model=message.model or "",
        choices=(Choice(0, parts, finish),),
        usage=read_usage(message.usage),
        asides=() if members.keys() <= _READ else _asides(members),
    )


def _raise_told(body: bytes) -> None:
    """Raises the error that the body tells, if it does."""
    kind = wire.decode_kind(body)
    if kind.type == "error" or wire.is_given(kind.error):
        raise read_error_in_answer(body)


def _asides(members: dict[str, Raw]) -> tuple[Aside, ...]:
    return tuple(Aside(name, raw, DIALECT) for name, raw in members.items() if name not in _READ and wire.is_given(raw))
