"""The store's protocol: the only door to SQL. Every method is one unit of work, one transaction.

Raises StorageUnavailable when the database cannot be reached or does not answer in time; a write that ran out of time
may have happened all the same, so every write may be repeated.
Times are microseconds since the epoch, UTC. Ids are text made by the application.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gaiarouter.store.records import ApiKey, Permission, UsageRecord
from gaiarouter.store.tables.protocols import (
    AuditTable,
    BudgetTable,
    KeyTable,
    OrganizationTable,
    SecretTable,
    StatisticsTable,
    UsageTable,
    UserTable,
)

__all__ = ["ApiKey", "MigrationError", "Permission", "StorageUnavailable", "Store", "UsageRecord"]


class StorageUnavailable(Exception):
    """The database is away or too slow. Callers of the pipeline see 503 storage_unavailable."""


class MigrationError(Exception):
    """The tables and this program do not belong together; the message says why and what to do."""


class Store(
    KeyTable,
    OrganizationTable,
    UserTable,
    AuditTable,
    UsageTable,
    StatisticsTable,
    BudgetTable,
    SecretTable,
    Protocol,
):
    async def open(self, *, migrate: bool = True) -> Sequence[str]:
        """Connects and brings the tables up to date; returns the names of the migrations it applied.

        With migrate=False tables that are not up to date raise MigrationError, as do those of a newer program.
        """
        ...

    async def close(self) -> None: ...

    @property
    def connections(self) -> tuple[int, int]:
        """Open ones, and of those idle ones."""
        ...

    def watch(self, wake: Callable[[], None]) -> None:
        """Calls `wake` in the event loop soon after a change that is audited, this process's or another's.

        Only a hint, which may come for nothing or, from another process, not at all: ask `changes` every second too.
        """
        ...
