"""The store, written once for both engines: each method is one statement, or one statement for many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gaiarouter.store import statements
from gaiarouter.store.base import ApiKey, UsageRecord
from gaiarouter.store.rows import Row, key_of, key_row, usage_of, usage_row


class Database(Protocol):
    """One engine. Every call is one transaction and raises StorageUnavailable as base.py says."""

    async def open(self, *, migrate: bool) -> Sequence[str]: ...

    async def close(self) -> None: ...

    async def read(self, sql: str, *values: object) -> Sequence[Row]:
        """Within a second; never waits for a writer."""
        ...

    async def write(self, sql: str, *values: object) -> Sequence[Row]: ...

    async def write_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Runs the statement once a row, all in one transaction."""
        ...


class SqlStore:
    """Implements Store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, *, migrate: bool = True) -> Sequence[str]:
        return await self._database.open(migrate=migrate)

    async def close(self) -> None:
        await self._database.close()

    async def find_key(self, key_id: str) -> ApiKey | None:
        rows = await self._database.read(statements.FIND_KEY, key_id)
        return key_of(rows[0]) if rows else None

    async def list_keys(self) -> Sequence[ApiKey]:
        return [key_of(row) for row in await self._database.read(statements.LIST_KEYS)]

    async def has_keys(self) -> bool:
        return bool(await self._database.read(statements.ANY_KEY))

    async def add_key(self, key: ApiKey) -> bool:
        return bool(await self._database.write(statements.ADD_KEY, *key_row(key)))

    async def revoke_key(self, key_id: str, *, now_us: int) -> bool:
        return bool(await self._database.write(statements.REVOKE_KEY, key_id, now_us))

    async def revoked_keys(self, *, since_us: int) -> Sequence[str]:
        return [row[0] for row in await self._database.read(statements.REVOKED_KEYS, since_us)]

    async def touch_keys(self, last_used_us: Mapping[str, int]) -> None:
        # in the order of ids, so that two processes never wait for each other's rows
        await self._database.write_many(statements.TOUCH_KEY, sorted(last_used_us.items()))

    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        await self._database.write_many(statements.ADD_USAGE, [usage_row(record) for record in records])

    async def find_usage(self, record_id: str) -> UsageRecord | None:
        rows = await self._database.read(statements.FIND_USAGE, record_id)
        return usage_of(rows[0]) if rows else None

    async def count_usage(self) -> int:
        return int((await self._database.read(statements.COUNT_USAGE))[0][0])
