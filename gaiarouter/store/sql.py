"""The store, written once for both engines: each method is a statement, one for many rows, or a unit of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gaiarouter.store.database import Database
from gaiarouter.store.tables.audit import SqlAudit
from gaiarouter.store.tables.budgets import SqlBudgets
from gaiarouter.store.tables.keys import SqlKeys
from gaiarouter.store.tables.organizations import SqlOrganizations
from gaiarouter.store.tables.secrets import SqlSecrets
from gaiarouter.store.tables.statistics import SqlStatistics
from gaiarouter.store.tables.usage import SqlUsage
from gaiarouter.store.tables.users import SqlUsers


class SqlStore(SqlKeys, SqlOrganizations, SqlUsers, SqlAudit, SqlUsage, SqlStatistics, SqlBudgets, SqlSecrets):
    """Implements Store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, *, migrate: bool = True) -> Sequence[str]:
        return await self._database.open(migrate=migrate)

    async def close(self) -> None:
        await self._database.close()

    @property
    def connections(self) -> tuple[int, int]:
        return self._database.connections

    def watch(self, wake: Callable[[], None]) -> None:
        self._database.watch(wake)
