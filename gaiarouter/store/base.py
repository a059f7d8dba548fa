"""The store's protocol: the only door to SQL. Every method is one unit of work, one transaction.

Raises StorageUnavailable when the database cannot be reached or does not answer in time; a write that ran out of time
may have happened all the same, so every write may be repeated.
Times are microseconds since the epoch, UTC. Ids are text made by the application.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gaiarouter.store.records import ApiKey, Permission
from gaiarouter.store.tables.protocols import AuditTable, KeyTable, OrganizationTable, UserTable

__all__ = ["ApiKey", "MigrationError", "Permission", "StorageUnavailable", "Store", "UsageRecord"]


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one request was and used; never what it said. One row, at most 500 bytes.

    cost_nano_usd: None is unpriced, which is not 0. status: HTTP status, 499 for a caller that hung up.
    outcome: ok, error, interrupted, cancelled. Durations are microseconds.
    request_id: what the caller was told (or told us), so not unique as `id` is.
    """

    id: str
    time_us: int
    key: str | None
    organization: str | None
    route: str | None
    model_asked: str | None
    model_served: str | None
    provider: str | None
    attempts: int
    status: int
    outcome: str
    error: str | None
    streamed: bool
    in_uncached: int
    in_cache_read: int
    in_cache_write: int
    in_tool: int
    out_visible: int
    out_reasoning: int
    estimated: bool
    cost_nano_usd: int | None
    duration_us: int
    first_content_us: int | None
    request_id: str


class StorageUnavailable(Exception):
    """The database is away or too slow. Callers of the pipeline see 503 storage_unavailable."""


class MigrationError(Exception):
    """The tables and this program do not belong together; the message says why and what to do."""


class Store(KeyTable, OrganizationTable, UserTable, AuditTable, Protocol):
    async def open(self, *, migrate: bool = True) -> Sequence[str]:
        """Connects and brings the tables up to date; returns the names of the migrations it applied.

        With migrate=False tables that are not up to date raise MigrationError, as do those of a newer program.
        """
        ...

    async def close(self) -> None: ...

    def watch(self, wake: Callable[[], None]) -> None:
        """Calls `wake` in the event loop soon after a change that is audited, this process's or another's.

        Only a hint, which may come for nothing or, from another process, not at all: ask `changes` every second too.
        """
        ...

    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        """All or none. Idempotent by record id."""
        ...

    async def find_usage(self, record_id: str) -> UsageRecord | None: ...

    async def count_usage(self) -> int: ...
