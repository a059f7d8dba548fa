"""A test of recordings is run with each of them, however few cases that is to pytest."""

from __future__ import annotations

import pytest

from tests.recorded import Interaction, chat_interactions, every

CASES = chat_interactions(ok=True, stream=True)


def batches_of(test: object) -> list[list[Interaction]]:
    (mark,) = test.pytestmark  # type: ignore[attr-defined]  # where pytest keeps it
    return list(mark.args[1])


def test_none_is_left_out_or_run_twice() -> None:
    seen: list[Interaction] = []
    test = every(CASES)(seen.append)
    for batch in batches_of(test):
        test(batch)
    assert len(seen) == len(CASES)
    assert set(seen) == set(CASES)


@pytest.mark.parametrize("place", [0, 3, -1])
def test_one_that_fails_fails_its_batch_and_is_named(place: int) -> None:
    def refuses_one(case: Interaction) -> None:
        assert case is not CASES[place], "wrong"

    test = every(CASES)(refuses_one)
    (batch,) = [batch for batch in batches_of(test) if CASES[place] in batch]
    with pytest.raises(AssertionError, match="wrong") as failure:
        test(batch)
    assert failure.value.__notes__ == [f"with {CASES[place]!r}"]
