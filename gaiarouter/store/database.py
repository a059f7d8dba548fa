"""What an engine offers to the tables: single statements, and units of work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from gaiarouter.store.rows import Row

T = TypeVar("T")

Statement = tuple[str, tuple[object, ...]]
Unit = Generator[Statement, Sequence[Row], T]
"""Several statements that stand or fall together: yields a statement and its values, is sent the rows that it brought,
returns the outcome. What it raises rolls all of it back. It knows no engine, and may run in another thread."""


class Database(Protocol):
    """One engine. Every call is one transaction and raises StorageUnavailable as base.py says."""

    @property
    def keeps_days(self) -> bool:
        """Whether each day's usage records have a table of their own, see tables/days.py."""
        ...

    async def open(self, *, migrate: bool) -> Sequence[str]: ...

    async def close(self) -> None: ...

    async def read(self, sql: str, *values: object) -> Sequence[Row]:
        """Within a second; never waits for a writer."""
        ...

    async def write(self, sql: str, *values: object) -> Sequence[Row]: ...

    async def write_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Runs the statement once a row, all in one transaction."""
        ...

    async def work(self, unit: Callable[[], Unit[T]]) -> T:
        """Runs the unit, again where another transaction was in its way."""
        ...

    async def change(self, unit: Callable[[], Unit[T]]) -> T:
        """As `work`, and then tells those who `watch`."""
        ...

    @property
    def connections(self) -> tuple[int, int]:
        """See Store.connections."""
        ...

    def watch(self, wake: Callable[[], None]) -> None:
        """See Store.watch."""
        ...
