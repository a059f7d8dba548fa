"""Usage records are listed by their ids: what began later must come later."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.server.request_ids import RequestIds


@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=2, max_size=50), st.integers(0, 2**32))
def test_ids_are_unique_and_in_the_order_of_requests(steps_ns: list[int], seed: int) -> None:
    now_ns = [1_790_000_000_000_000_000]
    ids = RequestIds(lambda: now_ns[0], Random(seed).getrandbits)
    made = []
    for step_ns in steps_ns:
        now_ns[0] += step_ns
        made.append(ids.record())
    assert made == sorted(set(made))
    assert {len(each) for each in made} == {28}


def test_the_last_random_number_of_a_millisecond_is_followed_by_a_later_id() -> None:
    ids = RequestIds(lambda: 5_000_000, lambda bits: 2**bits - 1)
    first, second = ids.record(), ids.record()
    assert first < second
    assert len(second) == 28


def test_an_id_tells_its_time() -> None:
    assert int(RequestIds(lambda: 1_790_000_000_123_999_999).record()[:12], 16) == 1_790_000_000_123


def test_two_processes_do_not_make_the_same_ids() -> None:
    one, other = (RequestIds(lambda: 5_000_000, Random(seed).getrandbits) for seed in (1, 2))
    assert one.record() != other.record()
