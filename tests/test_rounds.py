from __future__ import annotations

import pytest

from gaiarouter.rounds import next_round


@pytest.mark.parametrize(
    ("now", "every_s", "expected"),
    [
        (10.3, 1.0, 11.0),
        (10.3, 0.5, 10.5),
        (10.3, 5.0, 15.0),
        (10.0, 1.0, 11.0),
        (10.94, 1.0, 11.0),
        (0.0, 1.0, 1.0),
    ],
    ids=["a second", "half a second", "five seconds", "on time", "late", "from the beginning"],
)
def test_rounds_of_all_lengths_end_together(now: float, every_s: float, expected: float) -> None:
    assert next_round(now, every_s) == expected


def test_a_timer_that_rings_too_early_does_not_end_its_round_twice() -> None:
    assert next_round(10.9995, 1.0) == 12.0
