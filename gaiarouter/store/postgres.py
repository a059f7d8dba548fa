"""The engine for several machines: PostgreSQL through asyncpg.

1. No caller waits longer than it was promised, not even for a query to be cancelled: a server that has vanished would
   not answer that either.
2. Connections are made when they are needed, so a server that comes back is used again without further ado.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from gaiarouter.config.secret import Secret
from gaiarouter.store import statements
from gaiarouter.store.announcements import NOTIFY, Announcements
from gaiarouter.store.base import StorageUnavailable
from gaiarouter.store.database import Unit
from gaiarouter.store.migrate import load_migrations, pending_migrations, require_none
from gaiarouter.store.rows import Row

T = TypeVar("T")

_READ_TIMEOUT_S = 1.0
_WRITE_TIMEOUT_S = 10.0
_OPEN_TIMEOUT_S = 600.0  # a migration of large tables takes its time
_CONNECT_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 8
_TRIES = 3  # of a change that another transaction is in the way of
_MIGRATION_LOCK = int.from_bytes(b"gaiarout", "big")
_SESSION = {
    "application_name": "gaiarouter",
    # on the server's side, for what nobody here waits for any more
    "statement_timeout": f"{_WRITE_TIMEOUT_S:.0f}s",
    "idle_in_transaction_session_timeout": f"{_WRITE_TIMEOUT_S:.0f}s",
}
_AWAY = (
    OSError,  # which TimeoutError is
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # it is being closed: the server has said so, but not hung up yet
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting up, statement time-out
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.TransactionRollbackError,  # deadlock
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,  # a replica, until a fail-over is done
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientPrivilegeError,  # until it is granted
)


class PostgresDatabase:
    """Implements sql.Database over a pool of connections, which belongs to the event loop that opened it."""

    keeps_days = True

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._announcements = Announcements(lambda: _connect(url))

    async def open(self, *, migrate: bool) -> Sequence[str]:
        if self._pool is None:
            self._pool = await _make_pool(self._url)
        return await self._within(_OPEN_TIMEOUT_S, _migrate(self._pool) if migrate else _require_migrated(self._pool))

    async def close(self) -> None:
        await self._announcements.close()
        for task in self._running:
            task.cancel()
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await pool.close()
        except _AWAY:
            pool.terminate()

    async def read(self, sql: str, *values: object) -> Sequence[Row]:
        return await self._within(_READ_TIMEOUT_S, _fetch(self._opened(), sql, values))

    async def write(self, sql: str, *values: object) -> Sequence[Row]:
        return await self._within(_WRITE_TIMEOUT_S, _fetch(self._opened(), sql, values))

    async def write_many(self, sql: str, rows: Sequence[Row]) -> None:
        await self._within(_WRITE_TIMEOUT_S, _execute_many(self._opened(), sql, rows))

    async def change(self, unit: Callable[[], Unit[T]]) -> T:
        return await self.work(lambda: _announced(unit()))

    async def work(self, unit: Callable[[], Unit[T]]) -> T:
        for _ in range(_TRIES - 1):
            try:
                return await self._within(_WRITE_TIMEOUT_S, _run_unit(self._opened(), unit))
            except StorageUnavailable as error:
                if not isinstance(error.__cause__, asyncpg.TransactionRollbackError):
                    raise
        return await self._within(_WRITE_TIMEOUT_S, _run_unit(self._opened(), unit))

    @property
    def connections(self) -> tuple[int, int]:
        return (0, 0) if self._pool is None else (self._pool.get_size(), self._pool.get_idle_size())

    def watch(self, wake: Callable[[], None]) -> None:
        self._announcements.add(wake)

    def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            raise StorageUnavailable("PostgreSQL: the store is not open")
        return self._pool

    async def _within(self, timeout_s: float, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of `work`, or StorageUnavailable. What runs late is cancelled, but not waited for."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait([task], timeout=timeout_s)
        finally:
            if not task.done():
                task.cancel()
        if not task.done():
            raise StorageUnavailable(f"PostgreSQL did not answer within {timeout_s:g} s")
        try:
            return task.result()
        except _AWAY as error:
            raise StorageUnavailable(f"PostgreSQL: {error}") from error

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # of a task that was given up nobody else will ask


async def _make_pool(url: Secret) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        url.reveal(),
        min_size=0,
        max_size=_MAX_CONNECTIONS,
        timeout=_CONNECT_TIMEOUT_S,
        reset=_keep_session,
        server_settings=_SESSION,
    )


async def _connect(url: Secret) -> asyncpg.Connection:
    return await asyncpg.connect(url.reveal(), timeout=_CONNECT_TIMEOUT_S, server_settings=_SESSION)


async def _keep_session(_connection: asyncpg.Connection) -> None:
    """No statement here changes its session, so none is reset, which would cost a round trip each time."""


async def _fetch(pool: asyncpg.Pool, sql: str, values: Sequence[object]) -> Sequence[Row]:
    return [tuple(record) for record in await pool.fetch(sql, *values)]


async def _execute_many(pool: asyncpg.Pool, sql: str, rows: Sequence[Row]) -> None:
    await pool.executemany(sql, rows)  # in a transaction of its own


async def _run_unit(pool: asyncpg.Pool, unit: Callable[[], Unit[T]]) -> T:
    async with pool.acquire() as connection, connection.transaction():
        work = unit()
        try:
            sql, values = next(work)
            while True:
                sql, values = work.send([tuple(record) for record in await connection.fetch(sql, *values)])
        except StopIteration as end:
            outcome: T = end.value
            return outcome


def _announced(unit: Unit[T]) -> Unit[T]:
    yield NOTIFY, ()  # heard when, and only if, this is committed
    return (yield from unit)


async def _migrate(pool: asyncpg.Pool) -> Sequence[str]:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await connection.execute(statements.CREATE_MIGRATIONS)
        pending = pending_migrations(load_migrations("postgres"), await _applied(connection))
        for migration in pending:
            await connection.execute(migration.sql)
            now_us = time.time_ns() // 1000
            await connection.execute(statements.ADD_MIGRATION, migration.version, migration.sha256, now_us)
        return [migration.name for migration in pending]


async def _require_migrated(pool: asyncpg.Pool) -> Sequence[str]:
    try:
        applied = await _applied(pool)
    except asyncpg.UndefinedTableError:
        applied = {}
    require_none(pending_migrations(load_migrations("postgres"), applied))
    return ()


async def _applied(connection: asyncpg.Pool | asyncpg.Connection) -> Mapping[int, str]:
    return dict(map(tuple, await connection.fetch(statements.LIST_MIGRATIONS)))
