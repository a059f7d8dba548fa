"""The short way of a whole answer that is one text says what the long one says, of all that it reads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.dialects.messages.plain_answer import read_plain
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.response import read_any
from tests.recorded import interactions

PLAN = AnswerPlan()
HIDDEN = AnswerPlan(hidden="respond_json")
WHOLE = [each.body for each in interactions("anthropic", "messages", ok=True) if isinstance(each.answer, dict)]
COUNTS = st.none() | st.integers(-1, 9) | st.just("4")
ODD: st.SearchStrategy[Any] = st.sampled_from([None, "", 0, [], {}, "x"])


def maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of any of the members."""
    return st.fixed_dictionaries({}, optional=members)


BLOCKS = maybe(
    type=st.just("text") | st.sampled_from(["thinking", None]),
    text=st.text(max_size=5) | ODD,
    citations=st.sampled_from([None, []]),
)
USAGES = maybe(
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_read_input_tokens=COUNTS,
    cache_creation=st.none() | maybe(ephemeral_5m_input_tokens=COUNTS),
    output_tokens_details=st.none() | maybe(thinking_tokens=COUNTS),
    service_tier=st.none() | st.just("priority"),
)
REASONS = st.sampled_from([None, "end_turn", "tool_use", "max_tokens", "refusal", "unheard_of"])
ANSWERS = maybe(
    id=ODD,
    type=st.just("message") | st.sampled_from(["error", None]),
    role=st.just("assistant") | ODD,
    model=ODD,
    content=st.none() | st.lists(BLOCKS, max_size=2),
    stop_reason=REASONS,
    stop_sequence=st.none() | st.just("X"),
    stop_details=st.none() | maybe(category=st.just("cyber"), explanation=st.just("No")),
    usage=USAGES | ODD,
    more=ODD,
    error=st.none(),
)


def check(body: bytes, plan: AnswerPlan = PLAN) -> bool:
    """Whether the short way reads it; then as the long one does."""
    found = read_plain(body, plan)
    if found is None:
        return False
    expected = read_any(body, plan)
    assert found == expected
    if found.usage and expected.usage:
        assert found.usage.raw == expected.usage.raw
    return True


def test_recorded_answers_of_one_text_are_read_the_short_way_as_the_long_one() -> None:
    assert sum(map(check, WHOLE)) > len(WHOLE) / 2


@given(ANSWERS, st.sampled_from([PLAN, HIDDEN]))
def test_the_short_way_says_what_the_long_one_says(answer: dict[str, Any], plan: AnswerPlan) -> None:
    check(json.dumps(answer).encode(), plan)


@given(st.text(max_size=5), REASONS, USAGES, st.sampled_from([PLAN, HIDDEN]))
def test_one_text_is_read_the_short_way_however_it_ends(
    text: str, reason: str | None, usage: dict[str, Any], plan: AnswerPlan
) -> None:
    answer = {"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": reason, "usage": usage}
    assert check(json.dumps(answer).encode(), plan)


def test_a_block_that_does_not_say_what_it_is_is_no_text() -> None:
    body = b'{"type":"message","role":"assistant","content":[{"text":"Hi"}],"stop_reason":"end_turn"}'
    assert read_plain(body, PLAN) is None
