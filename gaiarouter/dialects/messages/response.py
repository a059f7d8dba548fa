"""A whole answer of the Messages format as a canonical one."""

from __future__ import annotations

import msgspec

from gaiarouter.canonical.events import Aside, CanonicalAnswer, Choice
from gaiarouter.canonical.fold import text_tokens
from gaiarouter.canonical.parts import ToolCall
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.messages.blocks import DIALECT
from gaiarouter.dialects.messages.content import complete, finish_of, read_part
from gaiarouter.dialects.messages.errors import read_error_in_answer
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.usage import UsageTotals
from gaiarouter.errors import BadAnswer

_READ = frozenset({"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"})


def read_answer(body: bytes) -> Answer:
    """Read a 200 body that goes on as it came. Raises BadAnswer, or the error object that it holds."""
    answer = decode_answer(body, AnswerPlan())
    said = text_tokens(answer) if answer.usage is None else 0
    return Answer(body=body, usage=answer.usage, text_tokens=said, finish_reason=answer.choices[0].finish.native)


def decode_answer(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """`body`: of a 200. Raises BadAnswer, or the error object that it holds."""
    try:
        if not body.isascii():
            body.decode()
        kind = wire.decode_kind(body)
        if kind.type == "error" or wire.is_given(kind.error):
            raise read_error_in_answer(body)
        message = wire.decode_message(body)
        if message.content is None:
            raise BadAnswer("The provider's answer holds no content")
        blocks = [read_part(raw, plan) for raw in message.content]
        members = wire.decode_members(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the Messages format") from error
    parts = tuple(complete(part) for part in blocks)
    finish = finish_of(
        message.stop_reason,
        stop_sequence=message.stop_sequence,
        details=message.stop_details,
        calls=any(isinstance(part, ToolCall) for part in parts),
        hidden=plan.hidden is not None,
    )
    asides = [Aside(name, raw, DIALECT) for name, raw in members.items() if name not in _READ and wire.is_given(raw)]
    return CanonicalAnswer(
        id=message.id or "",
        model=message.model or "",
        choices=(Choice(0, parts, finish),),
        usage=UsageTotals().take(message.usage),
        asides=tuple(asides),
    )
