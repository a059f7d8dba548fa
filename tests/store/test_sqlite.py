from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.base import ApiKey, StorageUnavailable, Store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import KeyRing
from gaiarouter.store.keys import parse
from gaiarouter.store.sql import SqlStore
from gaiarouter.store.sqlite import SqliteDatabase
from gaiarouter.store.tables import statistics, usage
from tests.store.test_store import RECORD
from tests.support.upstream import BOUND_S


@pytest.fixture
def url(tmp_path: Path) -> Secret:
    return Secret(f"sqlite:///{tmp_path}/gaia.db")


@pytest.mark.parametrize(
    "address",
    [
        "mysql://u:hunter2@h/db",
        "sqlite://x.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "x.db",
        "postgresql://u:hunter2@h:port/db",
    ],
)
def test_another_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///FILE") as caught:
        open_store(Secret(address))
    assert "hunter2" not in str(caught.value)


async def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, path in [("sqlite:///a.db", tmp_path / "a.db"), (f"sqlite:///{tmp_path}/b.db", tmp_path / "b.db")]:
        store = open_store(Secret(url))
        await store.open()
        await store.close()
        assert path.exists()


async def test_the_file_is_for_its_owner_alone(store: Store, tmp_path: Path) -> None:
    await store.has_keys()
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in _files(tmp_path)} == {
        "gaia.db": 0o600,
        "gaia.db-shm": 0o600,
        "gaia.db-wal": 0o600,
    }


async def test_every_index_of_the_records_is_read(store: Store, tmp_path: Path) -> None:
    """Each costs every request: `usage_records` is the one table that each of them adds a row to."""
    asked = (statistics.LIST, statistics.COUNT, statistics._LOST, usage.FIND, usage.FORGET, usage.ASKED)
    with sqlite3.connect(tmp_path / "gaia.db") as connection:
        plans = [
            row[3]
            for sql in asked
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", {str(number): None for number in range(1, 11)})
        ]
        indexes = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'usage_records'"
        )
        names = [name for (name,) in indexes]
    connection.close()

    assert names
    assert [name for name in names if not any(name in plan for plan in plans)] == []


async def test_the_log_is_written_ahead(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "gaia.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize("path", ["/nowhere/at/all.db", "/proc/version"])
async def test_a_file_that_cannot_be_opened_is_named(path: str) -> None:
    store = open_store(Secret(f"sqlite:///{path}"))
    with pytest.raises(StorageUnavailable, match=path):
        await store.open()
    await store.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gaia.db"
    path.write_text("This is a letter to my aunt. " * 100)
    store = open_store(Secret(f"sqlite:///{path}"))
    with pytest.raises(StorageUnavailable, match="not a database"):
        await store.open()
    await store.close()
    assert path.read_text().startswith("This is a letter")


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_taken_away_is_an_outage(store: Store, tmp_path: Path, *, replaced: bool) -> None:
    """Not a place where records go to be lost: they stay in the journal as long as the database is away."""
    await create_key(store, name="before", now_us=1)
    assert await store.has_keys()
    path, aside = tmp_path / "gaia.db", tmp_path / "aside"
    path.rename(aside)
    if replaced:
        path.write_bytes(aside.read_bytes())
    for refused in (create_key(store, name="lost", now_us=2), store.has_keys()):
        with pytest.raises(StorageUnavailable, match=r"gaia\.db: the file was removed or replaced"):
            await refused
    aside.rename(path)
    await create_key(store, name="after", now_us=3)
    assert {key.name for key in await store.list_keys()} == {"before", "after"}


async def test_a_look_up_does_not_wait_for_another_process_that_writes(
    store: Store, key: ApiKey, tmp_path: Path
) -> None:
    await store.add_key(key)
    other = sqlite3.connect(tmp_path / "gaia.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    write = asyncio.create_task(store.add_usage([RECORD]))
    await asyncio.sleep(0)
    assert await store.find_key(key.id) == key
    assert not write.done()
    other.execute("ROLLBACK")
    other.close()
    await write
    assert await store.count_usage() == 1


@pytest.mark.usefixtures("promised_timeouts")
async def test_a_look_up_gives_up_after_a_second(tmp_path: Path, url: Secret, key: ApiKey) -> None:
    store = open_store(url)
    await store.open()
    await store.close()
    other = sqlite3.connect(tmp_path / "gaia.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    store = open_store(url)
    started = time.monotonic()
    with pytest.raises(StorageUnavailable):
        await store.find_key(key.id)
    assert 0.9 < time.monotonic() - started < 15
    other.execute("ROLLBACK")
    other.close()
    assert await store.find_key(key.id) is None
    await store.close()


async def _an_answer_is_about_to_be_heard(database: SqliteDatabase) -> None:
    """The reader's work is done, and the loop has not been told: it was held up until then."""
    await asyncio.sleep(0)
    database._reader._executor.submit(int).result()


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_cancelled_as_the_answer_comes_is_cancelled(tmp_path: Path, turns: int) -> None:
    database = SqliteDatabase(f"{tmp_path}/gaia.db")
    await database.open(migrate=True)
    read = asyncio.create_task(database.read("SELECT 1"))
    await _an_answer_is_about_to_be_heard(database)
    for _ in range(turns):
        await asyncio.sleep(0)
    is_late = read.done()
    read.cancel()
    await asyncio.wait([read])
    assert read.cancelled() is not is_late
    await database.close()


@pytest.mark.parametrize("turns", range(6))
async def test_a_key_ring_that_is_closed_as_the_store_answers_is_closed(
    tmp_path: Path, url: Secret, turns: int
) -> None:
    database = SqliteDatabase(f"{tmp_path}/gaia.db")
    await database.open(migrate=True)
    store = open_store(url)
    ring = KeyRing(store)
    assert isinstance(store, SqlStore)
    assert isinstance(store._database, SqliteDatabase)
    ring.start()
    await _an_answer_is_about_to_be_heard(store._database)
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(BOUND_S):
        await ring.close()
    await store.close()
    await database.close()


async def test_a_key_that_a_provider_would_call_a_secret_is_in_no_file(store: Store, tmp_path: Path) -> None:
    minted = await create_key(store, name="canary", now_us=1)
    key = parse(minted.text)
    assert key is not None
    assert await store.find_key(minted.id) is not None
    for path in _files(tmp_path):
        assert key.secret not in path.read_bytes()


async def test_a_mistake_of_ours_is_not_called_an_outage(store: Store, key: ApiKey) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await store.add_key(replace(key, name=None))  # type: ignore[arg-type]
    assert not await store.has_keys()
    assert await store.add_key(key)


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


_OTHER_PROCESS = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
database.execute("COMMIT")
print(database.execute("SELECT count(*) FROM usage_records").fetchone()[0])
database.close()
"""


async def test_another_process_that_comes_and_goes_takes_no_log_away(url: Secret, tmp_path: Path) -> None:
    """Closing any descriptor of a file drops all locks that the process has on it (POSIX), and who is then alone
    deletes the log that this process still writes to."""
    store = open_store(url)
    await store.open()
    await store.add_usage([structs.replace(RECORD, id="before")])
    await store.has_keys()  # the second connection
    log = tmp_path / "gaia.db-wal"
    inode = log.stat().st_ino
    for count in (1, 2):
        command = [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path / "gaia.db")]
        other = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        printed, _ = await other.communicate()
        assert int(printed) == count, "the other process sees what was written"
        assert log.stat().st_ino == inode, "the log is still the one that is written to"
        await store.add_usage([structs.replace(RECORD, id=f"after {count}")])
    assert await store.count_usage() == 3
    await store.close()
