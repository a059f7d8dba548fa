from __future__ import annotations

import pytest

from gaiarouter.config.settings import Rate
from gaiarouter.errors import LimitExceeded
from gaiarouter.limits.guesses import Guesses

RATE = Rate(20, 60.0)


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def _until_refused(guesses: Guesses, source: str, rate: Rate | None = RATE) -> tuple[int, float | None]:
    """How many were let through, and the wait that the next one was told."""
    for count in range(1000):
        try:
            guesses.wrong(source, rate)
        except LimitExceeded as error:
            return count, error.retry_after_s
    return 1000, None


def test_a_source_has_so_many_wrong_keys_at_once_and_then_as_many_in_a_period() -> None:
    clock = Clock()
    guesses = Guesses(clock)
    assert _until_refused(guesses, "a") == (20, pytest.approx(3.0))
    assert _until_refused(guesses, "a") == (0, pytest.approx(3.0)), "being refused costs nothing more"
    clock.now += 9.0
    assert _until_refused(guesses, "a")[0] == 3
    clock.now += 3600.0
    assert _until_refused(guesses, "a")[0] == 20


def test_one_sources_guesses_are_not_anothers() -> None:
    guesses = Guesses(Clock())
    _until_refused(guesses, "a")
    assert _until_refused(guesses, "b")[0] == 20


def test_without_a_limit_nobody_is_refused() -> None:
    guesses = Guesses(Clock())
    assert _until_refused(guesses, "a", None) == (1000, None)


def test_many_sources_take_a_bounded_place_and_the_longest_silent_is_forgotten() -> None:
    guesses = Guesses(Clock(), sources=3)
    for source in "abc":
        _until_refused(guesses, source)
    guesses.wrong("d", RATE)
    assert _until_refused(guesses, "b")[0] == 0
    assert _until_refused(guesses, "a")[0] == 20
