"""Reservations that come together go to the store together.

A budget is one row, which one transaction at a time may change. Two hundred transactions in a row take longer than a
request may wait; one for all of them does not. While one is under way for a budget, the next gather.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from gaiarouter.store.base import StorageUnavailable
from gaiarouter.store.records import BudgetState, Wanted
from gaiarouter.store.tables.protocols import BudgetTable

_MOST: Final = 100
"""In one transaction."""


class Reserving:
    """Each budget by itself: one that many want to spend holds up nobody else's."""

    def __init__(self, table: BudgetTable) -> None:
        self._table = table
        self._turns: dict[str, _Turns] = {}

    async def reserve(self, wanted: Wanted) -> Sequence[BudgetState]:
        """As `BudgetTable.reserve` for this one. Raises StorageUnavailable."""
        # the widest: of an organization's keys the organization
        scope = wanted.reservations[-1].scope
        turns = self._turns.get(scope)
        if turns is None:
            turns = self._turns[scope] = _Turns(self._table, over=lambda: self._turns.pop(scope))
        return await turns.add(wanted)


class _Turns:
    """From the first reservation until nobody waits; then it is `over`, and takes no more."""

    def __init__(self, table: BudgetTable, *, over: Callable[[], object]) -> None:
        self._table = table
        self._over = over
        self._waiting: list[tuple[Wanted, asyncio.Future[Sequence[BudgetState]]]] = []
        self._task = asyncio.create_task(self._run(), name="budgets")

    def add(self, wanted: Wanted) -> asyncio.Future[Sequence[BudgetState]]:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, answer))
        return answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                turn, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                # who has left since wants nothing any more
                await self._take([(wanted, answer) for wanted, answer in turn if not answer.done()])
        finally:
            self._over()

    async def _take(self, turn: Sequence[tuple[Wanted, asyncio.Future[Sequence[BudgetState]]]]) -> None:
        try:
            told = await self._table.reserve([wanted for wanted, _ in turn]) if turn else ()
        except (StorageUnavailable, TimeoutError) as error:
            for _, answer in turn:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), states in zip(turn, told, strict=True):
            if not answer.done():
                answer.set_result(states)
