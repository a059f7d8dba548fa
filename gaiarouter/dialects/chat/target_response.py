"""A whole answer in Chat's form as a canonical one."""

from __future__ import annotations

import msgspec

from gaiarouter.canonical.events import CanonicalAnswer, End, Event, Start, UsageSnapshot
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.chat import spoken
from gaiarouter.dialects.chat.plan import AnswerPlan
from gaiarouter.dialects.chat.response import read_answer
from gaiarouter.dialects.chat.target_choice import ChoiceReader
from gaiarouter.errors import BadAnswer


def decode_answer(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """`body`: of a 200. Raises BadAnswer, or the error object that it holds."""
    read = read_answer(body)  # sound from here on: no error, choices with messages, strict JSON
    try:
        answer = spoken.decode_body(read.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of Chat's form") from error
    return fold(_events(answer, read.usage, plan))


def _events(answer: spoken.Body, usage: Usage | None, plan: AnswerPlan) -> list[Event]:
    events: list[Event] = [Start(answer.id or "", answer.model or "", seconds_of(answer.created))]
    if usage is not None:
        events.append(UsageSnapshot(usage))
    endings: list[Event] = []
    for position, choice in enumerate(answer.choices or ()):
        reader = ChoiceReader(position if choice.index is None else choice.index, plan)
        events += reader.read(choice, choice.message)
        *rest, finish = reader.close()
        events += rest
        endings.append(finish)
    return [*events, *endings, End()]


def seconds_of(created: int | float | None) -> int | None:
    return int(created) if created else None
