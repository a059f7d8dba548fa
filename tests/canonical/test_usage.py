from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.canonical.usage import REJECTED, Usage, counted, estimate_tokens, later, token_weight


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("abcd", 1),
        ("abcde", 2),
        ("привет", 2),
        ("漢字かな한글漢字", 6),
        ("ab漢字", 2),
        ("😀", 2),
    ],
)
def test_tokens_are_estimated_by_script(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(st.text(), st.text())
def test_the_pieces_of_a_text_weigh_what_the_whole_does(one: str, other: str) -> None:
    assert token_weight(one) + token_weight(other) == pytest.approx(token_weight(one + other))


@given(st.text(min_size=1))
def test_every_text_costs_something_and_no_more_than_its_bytes(text: str) -> None:
    assert 1 <= estimate_tokens(text) <= len(text.encode("utf-8", "replace")) + 1


def test_a_long_prompt_does_not_hold_up_the_others() -> None:
    text = "漢字 and 😀 " * 500_000
    took = []
    for _ in range(3):
        begin = time.thread_time()
        token_weight(text)
        took.append(time.thread_time() - begin)
    assert min(took) < 0.1


def test_totals_that_are_not_believed_leave_those_that_were() -> None:
    told, marked = Usage(in_uncached=3), Usage(in_uncached=3, rejected=True)
    assert later(None, None) is None
    assert later(None, REJECTED) is later(REJECTED, REJECTED) is later(REJECTED, None) is REJECTED
    assert later(told, REJECTED) == later(marked, REJECTED) == marked
    assert later(REJECTED, told) is later(marked, told) is later(told, None) is told


def test_an_estimate_says_what_it_stands_for() -> None:
    estimate = Usage(in_uncached=3, estimated=True)
    assert counted(None, estimate) is estimate
    assert counted(REJECTED, estimate) == Usage(in_uncached=3, estimated=True, rejected=True)
    assert counted(Usage(in_uncached=1), estimate) == Usage(in_uncached=1)
