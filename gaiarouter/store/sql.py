"""The store, written once for both engines: each method is a statement, one for many rows, or a unit of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gaiarouter.store import statements
from gaiarouter.store.base import UsageRecord
from gaiarouter.store.database import Database
from gaiarouter.store.rows import usage_of, usage_row
from gaiarouter.store.tables.audit import SqlAudit
from gaiarouter.store.tables.keys import SqlKeys
from gaiarouter.store.tables.organizations import SqlOrganizations
from gaiarouter.store.tables.users import SqlUsers


class SqlStore(SqlKeys, SqlOrganizations, SqlUsers, SqlAudit):
    """Implements Store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, *, migrate: bool = True) -> Sequence[str]:
        return await self._database.open(migrate=migrate)

    async def close(self) -> None:
        await self._database.close()

    def watch(self, wake: Callable[[], None]) -> None:
        self._database.watch(wake)

    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        await self._database.write_many(statements.ADD_USAGE, [usage_row(record) for record in records])

    async def find_usage(self, record_id: str) -> UsageRecord | None:
        rows = await self._database.read(statements.FIND_USAGE, record_id)
        return usage_of(rows[0]) if rows else None

    async def count_usage(self) -> int:
        return int((await self._database.read(statements.COUNT_USAGE))[0][0])
