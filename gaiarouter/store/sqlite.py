"""The embedded engine: the standard library's SQLite, WAL, every commit synced to disk.

1. One thread writes, one reads, each with a connection of its own: a look-up never waits for a batch of usage records
   and, in WAL mode, not for the lock of another process.
2. A unit of work is one function run in its thread: a caller that gives up or is cancelled leaves no transaction open.
3. A file that is no longer where it was opened is an outage: what would be written into it would be lost at the end.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

from gaiarouter.store import statements
from gaiarouter.store.base import MigrationError, StorageUnavailable
from gaiarouter.store.database import Unit
from gaiarouter.store.migrate import load_migrations, pending_migrations, require_none
from gaiarouter.store.rows import Row

T = TypeVar("T")

_OLDEST_SQLITE = (3, 35)  # RETURNING
_READ_TIMEOUT_S = 1.0
_WRITE_TIMEOUT_S = 10.0
_OPEN_TIMEOUT_S = 600.0  # a migration of large tables takes its time
_BUSY_TIMEOUT_S = 5.0
_GONE = "the file was removed or replaced while it was in use; put it back, or restart with the one that is there"
_PARAMETER = re.compile(r"\$(\d+)")


class SqliteDatabase:
    """Implements sql.Database over one file, which several processes of one machine may share."""

    keeps_days = False

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._writer = _Thread(path, "gaiarouter-sqlite-writer")
        self._reader = _Thread(path, "gaiarouter-sqlite-reader")
        self._watchers: list[Callable[[], None]] = []

    async def open(self, *, migrate: bool) -> Sequence[str]:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise MigrationError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed.")
        if not migrate and not self._path.exists():  # to look would make one
            raise MigrationError(f"There is no file {self._path} yet: run `gaiarouter migrate`, or look at `store`.")
        return await self._writer.run(_migrate if migrate else _require_migrated, timeout_s=_OPEN_TIMEOUT_S)

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()  # the last to leave folds the log into the file

    async def read(self, sql: str, *values: object) -> Sequence[Row]:
        return await self._reader.run(partial(_fetch, sql, values), timeout_s=_READ_TIMEOUT_S)

    async def write(self, sql: str, *values: object) -> Sequence[Row]:
        return await self._writer.run(partial(_write, sql, values), timeout_s=_WRITE_TIMEOUT_S)

    async def write_many(self, sql: str, rows: Sequence[Row]) -> None:
        await self._writer.run(partial(_write_many, sql, rows), timeout_s=_WRITE_TIMEOUT_S)

    async def work(self, unit: Callable[[], Unit[T]]) -> T:
        return await self._writer.run(partial(_run_unit, unit), timeout_s=_WRITE_TIMEOUT_S)

    async def change(self, unit: Callable[[], Unit[T]]) -> T:
        try:
            return await self.work(unit)
        finally:
            for wake in self._watchers:
                wake()

    @property
    def connections(self) -> tuple[int, int]:
        threads = (self._writer, self._reader)
        connected = [each for each in threads if each.is_connected]
        return len(connected), sum(not each.running for each in connected)

    def watch(self, wake: Callable[[], None]) -> None:
        """Wakes for what this process changes: SQLite tells nobody of others."""
        self._watchers.append(wake)


class _Thread:
    """One connection and the one thread that touches it. Connects on first use, and again after a failed attempt."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self.running = 0
        """How many wait for what they asked."""

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def run(self, work: Callable[[sqlite3.Connection], T], *, timeout_s: float) -> T:
        future = asyncio.wrap_future(self._executor.submit(self._run, work))
        self.running += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            raise StorageUnavailable(f"SQLite did not answer within {timeout_s:g} s") from error
        finally:
            self.running -= 1

    async def close(self) -> None:
        """Waits for the work that is under way, in its thread and not in the event loop's."""
        await asyncio.wrap_future(self._executor.submit(self._close))
        self._executor.shutdown(wait=False)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = _connect(self._path)
                self._file = _file_at(self._path)
            elif _file_at(self._path) != self._file:
                raise StorageUnavailable(f"SQLite at {self._path}: {_GONE}")
            return work(self._connection)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # a mistake of ours, which trying again would not mend
        except sqlite3.DatabaseError as error:
            raise StorageUnavailable(f"SQLite at {self._path}: {error}") from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect(path: str) -> sqlite3.Connection:
    try:
        # hashes of keys: for the owner's eyes. Only a file that is new is opened here: closing any descriptor of one
        # that a connection of this process has open would drop that connection's locks, and another process that
        # closes the database would then delete the log from under it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass  # as it mostly is
    except OSError as error:
        raise StorageUnavailable(f"SQLite at {path}: {error.strerror}") from error
    _tell_how_to_bind()
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _file_at(path: str) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _tell_how_to_bind() -> None:
    """What it would bind in the end: without being told the library asks each null and each boolean whether it can be
    something else, and makes an exception of the answer. That was a fifth of what writing a usage record took."""
    sqlite3.register_adapter(bool, int)
    nothing: dict[None, None] = {}
    sqlite3.register_adapter(type(None), nothing.get)  # gives None, and is no function of Python's to be entered


def _enter_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for the lock that the change to WAL needs when two processes create the file together."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise


def _numbered(values: Sequence[object]) -> Mapping[str, object]:
    """SQLite reads `$1` as a parameter of the name 1."""
    return {str(number): value for number, value in enumerate(values, start=1)}


@lru_cache(maxsize=1024)
def _by_place(sql: str) -> str | None:
    """The text with `?` for its parameters, where each stands once and in its order; else None.

    By name SQLite looks through all names for each value: a hundred rows at once then cost four times as much each.
    """
    numbers = [int(number) for number in _PARAMETER.findall(sql)]
    return _PARAMETER.sub("?", sql) if numbers == list(range(1, len(numbers) + 1)) else None


def _fetch(sql: str, values: Sequence[object], connection: sqlite3.Connection) -> Sequence[Row]:
    by_place = _by_place(sql)
    if by_place is None:
        return connection.execute(sql, _numbered(values)).fetchall()
    return connection.execute(by_place, tuple(values)).fetchall()


def _write(sql: str, values: Sequence[object], connection: sqlite3.Connection) -> Sequence[Row]:
    with _transaction(connection):
        return _fetch(sql, values, connection)


def _write_many(sql: str, rows: Sequence[Row], connection: sqlite3.Connection) -> None:
    by_place = _by_place(sql)
    with _transaction(connection):
        if by_place is None:
            connection.executemany(sql, map(_numbered, rows))
        else:
            connection.executemany(by_place, rows)


def _run_unit(unit: Callable[[], Unit[T]], connection: sqlite3.Connection) -> T:
    with _transaction(connection):
        work = unit()
        try:
            sql, values = next(work)
            while True:
                sql, values = work.send(_fetch(sql, values, connection))
        except StopIteration as end:
            outcome: T = end.value
            return outcome


def _migrate(connection: sqlite3.Connection) -> Sequence[str]:
    with _transaction(connection):
        connection.execute(statements.CREATE_MIGRATIONS)
        pending = pending_migrations(load_migrations("sqlite"), _applied(connection))
        for migration in pending:
            for statement in migration.statements:
                connection.execute(statement)
            now_us = time.time_ns() // 1000
            connection.execute(statements.ADD_MIGRATION, _numbered((migration.version, migration.sha256, now_us)))
        return [migration.name for migration in pending]


def _require_migrated(connection: sqlite3.Connection) -> Sequence[str]:
    require_none(pending_migrations(load_migrations("sqlite"), _applied(connection)))
    return ()


def _applied(connection: sqlite3.Connection) -> Mapping[int, str]:
    has_table = "SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'"
    if connection.execute(has_table).fetchone() is None:
        return {}
    return dict(connection.execute(statements.LIST_MIGRATIONS).fetchall())
