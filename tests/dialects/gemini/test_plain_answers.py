"""The short way of a whole answer that is one text says what the long one says, of all that it reads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.dialects.gemini.plain_answer import read_plain
from gaiarouter.dialects.gemini.response import read_any
from gaiarouter.errors import Failed
from tests.dialects.gemini.stream import PLAN
from tests.recorded import interactions

WHOLE = [
    each.body
    for provider in ("google", "vertex")
    for each in interactions(provider, "generate", ok=True)
    if isinstance(each.answer, dict)
]
COUNTS = st.none() | st.integers(-1, 9) | st.just("4")
ODD: st.SearchStrategy[Any] = st.sampled_from([None, "", 0, 1, [], {}, "x"])


def maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of any of the members."""
    return st.fixed_dictionaries({}, optional=members)


PARTS = maybe(text=st.text(max_size=5) | ODD, thoughtSignature=st.text(max_size=3), thought=st.booleans() | ODD)
CANDIDATES = maybe(
    content=maybe(parts=st.lists(PARTS, max_size=2), role=ODD),
    index=st.none() | st.integers(0, 2),
    finishReason=st.sampled_from([None, "STOP", "SAFETY", "MALFORMED_RESPONSE", "", 2, 99]),
    avgLogprobs=st.none() | st.floats(-3, 0),
    finishMessage=st.none() | st.text(max_size=3),
)
USAGES = maybe(
    promptTokenCount=COUNTS,
    candidatesTokenCount=COUNTS,
    cachedContentTokenCount=COUNTS,
    thoughtsTokenCount=COUNTS,
    serviceTier=st.none() | st.just("flex"),
    promptTokensDetails=st.just([{"modality": "AUDIO", "tokenCount": 3}]),
)
ANSWERS = maybe(
    candidates=st.lists(CANDIDATES, min_size=1, max_size=2),
    usageMetadata=USAGES | ODD,
    responseId=ODD,
    modelVersion=ODD,
    createTime=st.sampled_from([None, "", "2026-07-01T10:00:00.123Z", "x"]),
    more=ODD,
    error=ODD,
)


def long_way(body: bytes) -> CanonicalAnswer | str:
    try:
        return read_any(body, PLAN)
    except Failed as error:
        return error.message


def short_way(body: bytes) -> CanonicalAnswer | str | None:
    try:
        return read_plain(body)
    except Failed as error:
        return error.message


def check(body: bytes) -> bool:
    """Whether the short way reads it; then as the long one does."""
    found = short_way(body)
    if found is None:
        return False
    expected = long_way(body)
    assert found == expected
    if isinstance(found, CanonicalAnswer) and isinstance(expected, CanonicalAnswer) and found.usage and expected.usage:
        assert found.usage.raw == expected.usage.raw
    return True


def test_recorded_answers_of_one_text_are_read_the_short_way_as_the_long_one() -> None:
    texts = [body for body in WHOLE if b'"functionCall"' not in body]
    assert sum(map(check, WHOLE)) > len(texts) / 2


@given(ANSWERS)
def test_the_short_way_says_what_the_long_one_says(answer: dict[str, Any]) -> None:
    check(json.dumps(answer).encode())


@given(st.text(max_size=5), st.none() | st.text(min_size=1, max_size=3), USAGES)
def test_one_text_is_read_the_short_way_whatever_it_counts(text: str, seal: str | None, usage: dict[str, Any]) -> None:
    part = {"text": text} | ({} if seal is None else {"thoughtSignature": seal})
    answer = {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}], "usageMetadata": usage}
    assert check(json.dumps(answer).encode())
