"""The line between a store and its database, which a test can cut, hold up, and listen to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from gaiarouter.store.base import StorageUnavailable
from gaiarouter.store.database import Database, Unit
from gaiarouter.store.rows import Row
from gaiarouter.store.tables import keys
from tests.support.upstream import BOUND_S

T = TypeVar("T")


class Line:
    """Implements sql.Database over a real one.

    is_cut: nothing gets through. loses_answers: writes happen, but the caller hears of an outage. held: answers to
    reads wait for it. look_ups: ids of the keys that were asked for.
    """

    def __init__(self, database: Database) -> None:
        self.is_cut = False
        self.loses_answers = False
        self.held: asyncio.Event | None = None
        self.look_ups: list[object] = []
        self.attempts = 0
        self._database = database
        self.keeps_days = database.keeps_days

    async def open(self, *, migrate: bool) -> Sequence[str]:
        return await self._database.open(migrate=migrate)

    async def close(self) -> None:
        await self._database.close()

    @property
    def connections(self) -> tuple[int, int]:
        return self._database.connections

    async def read(self, sql: str, *values: object) -> Sequence[Row]:
        if sql == keys.FIND:
            self.look_ups.append(values[0])
        self._pass()
        rows = await self._database.read(sql, *values)
        if self.held is not None:
            await self.held.wait()
        return rows

    async def write(self, sql: str, *values: object) -> Sequence[Row]:
        self._pass()
        return await self._database.write(sql, *values)

    async def write_many(self, sql: str, rows: Sequence[Row]) -> None:
        self._pass()
        await self._database.write_many(sql, rows)
        if self.loses_answers:
            raise StorageUnavailable("the answer was lost")

    async def work(self, unit: Callable[[], Unit[T]]) -> T:
        self._pass()
        outcome = await self._database.work(unit)
        if self.loses_answers:
            raise StorageUnavailable("the answer was lost")
        return outcome

    async def change(self, unit: Callable[[], Unit[T]]) -> T:
        self._pass()
        return await self._database.change(unit)

    def watch(self, wake: Callable[[], None]) -> None:
        self._database.watch(wake)

    def _pass(self) -> None:
        self.attempts += 1
        if self.is_cut:
            raise StorageUnavailable("cut")


async def until(condition: Callable[[], bool]) -> None:
    """Lets everything else run until the condition holds."""
    async with asyncio.timeout(BOUND_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is not ours to set an event in
            await asyncio.sleep(0)
