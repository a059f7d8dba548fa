"""Reservations that come together are one transaction; each budget is by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gaiarouter.limits.reserving import Reserving
from gaiarouter.store.base import StorageUnavailable
from gaiarouter.store.records import BudgetState, Reservation, Wanted


def wanted(number: int, *scopes: str) -> Wanted:
    return Wanted(f"r{number}", 5, tuple(Reservation(scope, 0, 1, 10) for scope in scopes or ("key_1",)))


class Table:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.turns: list[list[str]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def reserve(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[BudgetState]]:
        self.turns.append([each.record_id for each in wanted])
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return [[BudgetState(one, 0, 1, refused=False) for one in each.reservations] for each in wanted]

    async def give_back(self, *, before_us: int) -> int:
        raise NotImplementedError

    async def budget_in_use(self, scope: str, starts_us: int) -> tuple[int, int]:
        raise NotImplementedError


async def begun(*work: asyncio.Task[Sequence[BudgetState]]) -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_while_one_is_under_way_the_next_gather() -> None:
    table = Table()
    reserving = Reserving(table)
    first = asyncio.create_task(reserving.reserve(wanted(0)))
    await begun(first)
    others = [asyncio.create_task(reserving.reserve(wanted(number))) for number in range(1, 150)]
    await begun(*others)
    assert table.turns == [["r0"]]
    table.go.set()
    told = await asyncio.gather(first, *others)
    assert [len(turn) for turn in table.turns] == [1, 100, 49]
    assert [name for turn in table.turns for name in turn] == [f"r{number}" for number in range(150)]
    assert [states[0].reservation.scope for states in told] == ["key_1"] * 150


async def test_another_budget_does_not_wait_for_it_and_an_organizations_keys_go_together() -> None:
    table = Table()
    reserving = Reserving(table)
    asked = [wanted(0, "key_1", "org_1"), wanted(1, "key_2", "org_1"), wanted(2, "key_3")]
    work = [asyncio.create_task(reserving.reserve(each)) for each in asked]
    await begun(*work)
    assert table.turns == [["r0", "r1"], ["r2"]]
    table.go.set()
    await asyncio.gather(*work)
    again = asyncio.create_task(reserving.reserve(wanted(3, "key_1", "org_1")))
    await again
    assert table.turns[-1] == ["r3"]


async def test_who_has_left_by_then_reserves_nothing() -> None:
    table = Table()
    reserving = Reserving(table)
    first = asyncio.create_task(reserving.reserve(wanted(0)))
    await begun(first)
    gone, stays = (asyncio.create_task(reserving.reserve(wanted(number))) for number in (1, 2))
    await begun(gone, stays)
    gone.cancel()
    table.go.set()
    await asyncio.gather(first, stays)
    assert table.turns == [["r0"], ["r2"]]


async def test_all_are_told_that_the_store_is_away() -> None:
    table = Table()
    table.error = StorageUnavailable("away")
    reserving = Reserving(table)
    table.go.set()
    work = [asyncio.create_task(reserving.reserve(wanted(number))) for number in range(3)]
    for each in work:
        with pytest.raises(StorageUnavailable):
            await each
    table.error = None
    assert not (await reserving.reserve(wanted(4)))[0].refused
