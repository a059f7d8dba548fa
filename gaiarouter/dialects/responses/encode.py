"""A whole answer as a Response object: the one that its stream would end with."""

from __future__ import annotations

import msgspec

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.fold import unfold
from gaiarouter.dialects.responses.encode_events import Story
from gaiarouter.dialects.responses.view import AnswerView


def encode_answer(answer: CanonicalAnswer, view: AnswerView) -> bytes:
    story = Story(view)
    for event in unfold(answer):
        story.take(event)
    return msgspec.json.encode(story.response)
