"""Reserved before, settled with the record, on both engines: never more than there is, and everything comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.base import Store
from gaiarouter.store.records import Reservation
from tests.store.test_store import RECORD


def wanted(amount: int = 10, *, scope: str = "key_1", budget: int = 100) -> Reservation:
    return Reservation(scope, 0, amount, budget)


async def test_what_fits_is_reserved_and_what_does_not_is_told(store: Store) -> None:
    (first,) = await store.reserve("r1", [wanted(60)])
    assert (first.refused, first.spent, first.reserved, first.left) == (False, 0, 60, 40)
    (second,) = await store.reserve("r2", [wanted(41)])
    assert (second.refused, second.spent, second.reserved, second.left) == (True, 0, 60, 40)
    (third,) = await store.reserve("r3", [wanted(40)])
    assert (third.refused, third.left) == (False, 0)


async def test_of_two_budgets_both_take_it_or_neither(store: Store) -> None:
    (refused,) = await store.reserve("r1", [wanted(10), wanted(10, scope="org_1", budget=5)])
    assert (refused.refused, refused.reservation.scope) == (True, "org_1")
    assert await store.budget_in_use("key_1", 0) == (0, 0)
    assert len(await store.reserve("r1", [wanted(10), wanted(10, scope="org_1")])) == 2
    assert (await store.budget_in_use("key_1", 0), await store.budget_in_use("org_1", 0)) == ((0, 10), (0, 10))


@pytest.mark.parametrize(
    ("cost", "spent"), [(4, 4), (25, 25), (0, 0), (None, 0)], ids=["less", "more", "nothing", "unpriced"]
)
async def test_the_record_settles_it_with_what_it_did_cost(store: Store, cost: int | None, spent: int) -> None:
    await store.reserve("r1", [wanted(10)])
    await store.reserve("r2", [wanted(10)])
    record = replace(RECORD, id="r1", cost_nano_usd=cost)
    await store.add_usage([record])
    assert await store.budget_in_use("key_1", 0) == (spent, 10)
    await store.add_usage([record])
    assert await store.budget_in_use("key_1", 0) == (spent, 10)


async def test_periods_and_scopes_do_not_touch_each_other(store: Store) -> None:
    await store.reserve("r1", [wanted(100)])
    (other,) = await store.reserve("r2", [replace(wanted(100), starts_us=86_400_000_000)])
    (another,) = await store.reserve("r3", [wanted(100, scope="key_2")])
    assert not other.refused
    assert not another.refused


async def test_two_hundred_at_once_over_two_processes_get_exactly_what_is_there(store: Store, url: Secret) -> None:
    """Fixed costs, a budget for fifty: N4 of the reliability page. The second store stands for a second process: it
    shares nothing with the first but the database."""
    second = open_store(url)
    await second.open(migrate=False)
    both = (store, second)
    states = await asyncio.gather(
        *(both[number % 2].reserve(f"r{number}", [wanted(10, budget=500)]) for number in range(200))
    )
    admitted = [number for number, (state,) in enumerate(states) if not state.refused]
    assert len(admitted) == 50
    records = [replace(RECORD, id=f"r{number}", cost_nano_usd=10) for number in admitted]
    await asyncio.gather(store.add_usage(records[:25]), second.add_usage(records[25:]))
    assert await store.budget_in_use("key_1", 0) == (500, 0)
    await second.close()
