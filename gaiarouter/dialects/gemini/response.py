"""A whole answer of the Gemini format as a canonical one."""

from __future__ import annotations

import math

import msgspec

from gaiarouter.canonical.events import CanonicalAnswer, Event
from gaiarouter.canonical.fold import fold
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.gemini.plain_answer import read_plain
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.reader import AnswerReader
from gaiarouter.dialects.gemini.watched import Watched
from gaiarouter.errors import BadAnswer, Interrupted


def read_answer(body: bytes) -> Answer:
    """Read a 200 body that goes on as it came. Raises BadAnswer, or the error object that it holds."""
    watched = Watched()
    try:
        if not body.isascii():
            body.decode()
        for response in wire.decode_list(body) if body.lstrip().startswith(b"[") else [body]:
            watched.read(response)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the Gemini format") from error
    if watched.is_empty:
        raise BadAnswer("The provider's answer holds no candidate")
    return Answer(
        body=body,
        usage=watched.usage,
        text_tokens=math.ceil(watched.weight),
        finish_reason=watched.finish_reason,
    )


def decode_answer(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """`body`: of a 200, one response or a list of what a stream would have been. Raises BadAnswer, the error object
    that it holds, or Failed where what the model made is of no use."""
    try:
        if not body.isascii():
            body.decode()
        return read_plain(body) or read_any(body, plan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the Gemini format") from error


def read_any(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """Raises msgspec.DecodeError or RecursionError for what is not of this format, and as `decode_answer`."""
    is_list = body.lstrip().startswith(b"[")
    reader = AnswerReader(plan)
    events: list[Event] = []
    for response in wire.decode_list(body) if is_list else [body]:
        events += reader.read(response)
    if reader.is_empty:
        raise BadAnswer("The provider's answer holds no candidate")
    if is_list and not reader.is_complete:
        raise Interrupted("The provider's stream ended before the answer was complete")
    return fold([*events, *reader.close()])
