"""Reserved before, settled with the record, on both engines: never more than there is, and everything comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.base import Store
from gaiarouter.store.records import BudgetState, LostAttempt, Owed, Reservation, Wanted
from tests.store.test_store import RECORD


def wanted(amount: int = 10, *, scope: str = "key_1", budget: int = 100) -> Reservation:
    return Reservation(scope, 0, amount, budget)


async def reserve(
    store: Store, record_id: str, reservations: Sequence[Reservation], *, time_us: int
) -> Sequence[BudgetState]:
    (states,) = await store.reserve([Wanted(record_id, time_us, tuple(reservations))])
    return states


async def test_what_fits_is_reserved_and_what_does_not_is_told(store: Store) -> None:
    (first,) = await reserve(store, "r1", [wanted(60)], time_us=RECORD.time_us)
    assert (first.refused, first.spent, first.reserved, first.left) == (False, 0, 60, 40)
    (second,) = await reserve(store, "r2", [wanted(41)], time_us=RECORD.time_us)
    assert (second.refused, second.spent, second.reserved, second.left) == (True, 0, 60, 40)
    (third,) = await reserve(store, "r3", [wanted(40)], time_us=RECORD.time_us)
    assert (third.refused, third.left) == (False, 0)


async def test_of_two_budgets_both_take_it_or_neither(store: Store) -> None:
    (refused,) = await reserve(store, "r1", [wanted(10), wanted(10, scope="org_1", budget=5)], time_us=RECORD.time_us)
    assert (refused.refused, refused.reservation.scope) == (True, "org_1")
    assert await store.budget_in_use("key_1", 0) == (0, 0)
    assert len(await reserve(store, "r1", [wanted(10), wanted(10, scope="org_1")], time_us=RECORD.time_us)) == 2
    assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 0)) == ((0, 10), (0, 10))


async def test_of_those_that_come_together_each_gets_what_those_before_it_left(store: Store) -> None:
    asked = [
        Wanted("r1", 5, (wanted(60),)),
        Wanted("r2", 5, (wanted(60),)),
        Wanted("r3", 5, (wanted(30), wanted(30, scope="org_1", budget=20))),
        Wanted("r4", 5, (wanted(40), wanted(20, scope="org_1", budget=20))),
    ]
    told = await store.reserve(asked)
    assert [[(each.refused, each.left) for each in states] for states in told] == [
        [(False, 40)],
        [(True, 40)],
        [(True, 20)],
        [(False, 0), (False, 0)],
    ]
    assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 0)) == ((0, 100), (0, 20))
    await store.add_usage([structs.replace(RECORD, id=each.record_id, time_us=5, cost_nano_usd=1) for each in asked])
    assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 0)) == ((2, 0), (1, 0))


@pytest.mark.parametrize(
    ("cost", "spent"), [(4, 4), (25, 25), (0, 0), (None, 0)], ids=["less", "more", "nothing", "unpriced"]
)
async def test_the_record_settles_it_with_what_it_did_cost(store: Store, cost: int | None, spent: int) -> None:
    await reserve(store, "r1", [wanted(10)], time_us=RECORD.time_us)
    await reserve(store, "r2", [wanted(10)], time_us=RECORD.time_us)
    record = structs.replace(RECORD, id="r1", cost_nano_usd=cost)
    await store.add_usage([record])
    assert await store.budget_in_use("key_1", 0) == (spent, 10)
    await store.add_usage([record])
    assert await store.budget_in_use("key_1", 0) == (spent, 10)


async def test_periods_and_scopes_do_not_touch_each_other(store: Store) -> None:
    await reserve(store, "r1", [wanted(100)], time_us=RECORD.time_us)
    (other,) = await reserve(store, "r2", [replace(wanted(100), starts_us=86_400_000_000)], time_us=RECORD.time_us)
    (another,) = await reserve(store, "r3", [wanted(100, scope="key_2")], time_us=RECORD.time_us)
    assert not other.refused
    assert not another.refused


async def test_two_hundred_at_once_over_two_processes_get_exactly_what_is_there(store: Store, url: Secret) -> None:
    """Fixed costs, a budget for fifty: N4 of the reliability page. The second store stands for a second process: it
    shares nothing with the first but the database."""
    second = open_store(url)
    await second.open(migrate=False)
    both = (store, second)
    some = [wanted(10, budget=500)]
    states = await asyncio.gather(
        *(reserve(both[number % 2], f"r{number}", some, time_us=RECORD.time_us) for number in range(200))
    )
    admitted = [number for number, (state,) in enumerate(states) if not state.refused]
    assert len(admitted) == 50
    records = [structs.replace(RECORD, id=f"r{number}", cost_nano_usd=10) for number in admitted]
    await asyncio.gather(store.add_usage(records[:25]), second.add_usage(records[25:]))
    assert await store.budget_in_use("key_1", 0) == (500, 0)
    await second.close()


async def test_tries_that_may_be_billed_are_spent_too(store: Store) -> None:
    await reserve(store, "r1", [wanted(10)], time_us=RECORD.time_us)
    lost = LostAttempt("p", "m", "timeout_first_byte", 5, 0, 0, 0, estimated=True, cost_nano_usd=3)
    await store.add_usage(
        [structs.replace(RECORD, id="r1", cost_nano_usd=None, lost=(lost, replace(lost, cost_nano_usd=None)))]
    )
    assert await store.budget_in_use("key_1", 0) == (3, 0)


async def test_what_no_record_settles_is_given_back_and_a_late_record_is_still_spent(store: Store) -> None:
    """A process whose journal went with its disk, a record that was dropped: no record comes."""
    await reserve(store, "late", [wanted(60), wanted(60, scope="org_1")], time_us=5)
    await reserve(store, "running", [wanted(10)], time_us=9)
    assert await store.give_back(before_us=9) == 2
    assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 0)) == ((0, 10), (0, 0))
    assert await store.give_back(before_us=9) == 0
    await store.add_usage([structs.replace(RECORD, id="late", time_us=5, cost_nano_usd=7)])
    assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 0)) == ((7, 10), (7, 0))
    await store.add_usage([structs.replace(RECORD, id="late", time_us=5, cost_nano_usd=7)])
    assert await store.budget_in_use("key_1", 0) == (7, 10)


async def test_what_two_processes_give_back_at_once_comes_back_once(store: Store, url: Secret) -> None:
    second = open_store(url)
    await second.open(migrate=False)
    for number in range(20):
        await reserve(store, f"r{number}", [wanted(5)], time_us=5)
    records = [structs.replace(RECORD, id=f"r{number}", time_us=5, cost_nano_usd=1) for number in range(10)]
    await asyncio.gather(store.give_back(before_us=9), second.give_back(before_us=9), store.add_usage(records))
    await store.add_usage(records)  # a record that came while its reservation was given back is spent with the next
    assert await store.budget_in_use("key_1", 0) == (10, 0)
    await second.close()


async def test_what_was_let_in_while_the_store_was_away_is_spent_with_its_record_once(store: Store) -> None:
    await reserve(store, "r1", [wanted(10)], time_us=RECORD.time_us)
    await reserve(store, "lost", [wanted(10)], time_us=RECORD.time_us)  # its answer never came: it is owed all the same
    owed = (Owed("key_1", 0), Owed("org_1", 5))
    away = [structs.replace(RECORD, id=name, cost_nano_usd=7, owed=owed) for name in ("a1", "a2", "lost")]
    for _ in range(2):
        await store.add_usage([*away, structs.replace(RECORD, id="free", cost_nano_usd=1000)])
        assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 5)) == ((21, 10), (21, 0))


async def test_a_reservation_that_its_record_did_not_find_is_settled_all_the_same(store: Store) -> None:
    """It may have been put aside in that moment: no other request need come for it to count."""
    await store.add_usage([structs.replace(RECORD, id="late", time_us=5, cost_nano_usd=7)])
    await reserve(store, "late", [wanted(60)], time_us=5)
    await store.give_back(before_us=9)
    assert await store.budget_in_use("key_1", 0) == (7, 0)
