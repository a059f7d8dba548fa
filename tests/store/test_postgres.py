from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from msgspec import structs

from gaiarouter.config.secret import Secret
from gaiarouter.errors import InvalidRequest
from gaiarouter.ledger.journal import Journal
from gaiarouter.ledger.writer import Ledger, Pace
from gaiarouter.store import open_store
from gaiarouter.store.base import ApiKey, StorageUnavailable, Store
from gaiarouter.store.records import Author
from gaiarouter.telemetry import Metrics
from tests.store.line import until
from tests.store.postgres_server import PostgresServer
from tests.store.test_store import RECORD
from tests.support.upstream import BOUND_S


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[Secret]:
    postgres.clear()
    yield Secret(postgres.url)
    if not postgres.is_running:
        postgres.start()


@pytest.fixture
async def other(url: Secret) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else's to the same database."""
    connection = await asyncpg.connect(url.reveal())
    yield connection
    await connection.close()


@pytest.mark.usefixtures("promised_timeouts")
async def test_a_look_up_gives_up_after_a_second(store: Store, key: ApiKey, other: asyncpg.Connection) -> None:
    await store.add_key(key)
    async with other.transaction():
        await other.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match="within 1 s"):
            await store.find_key(key.id)
        assert 0.9 < time.monotonic() - started < 15
    assert await store.find_key(key.id) == key


@pytest.mark.usefixtures("promised_timeouts")
async def test_what_was_given_up_does_not_stay_on_the_server(
    store: Store, key: ApiKey, other: asyncpg.Connection
) -> None:
    async with other.transaction():
        await other.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        tasks = [asyncio.create_task(store.find_key(key.id)) for _ in range(20)]
        await asyncio.wait(tasks)
        assert {type(task.exception()) for task in tasks} == {StorageUnavailable}
        async with asyncio.timeout(BOUND_S):
            while await _waiting(other):
                pass
    assert await store.find_key(key.id) is None


async def test_connections_are_bounded(store: Store, key: ApiKey, other: asyncpg.Connection) -> None:
    await asyncio.gather(*(store.find_key(key.id) for _ in range(200)))
    count = await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gaiarouter'")
    assert 1 < count <= 8


async def test_a_change_by_another_process_wakes_those_who_watch_also_after_a_restart(
    store: Store, url: Secret, key: ApiKey, postgres: PostgresServer
) -> None:
    woken = asyncio.Event()
    store.watch(woken.set)
    other = open_store(url)
    await other.open()
    for number in range(2):
        async with asyncio.timeout(BOUND_S):
            await woken.wait()  # it listens now, and may have missed something
        woken.clear()
        assert await other.add_key(replace(key, id=f"key_{number}"))
        async with asyncio.timeout(BOUND_S):
            await woken.wait()
        if number == 0:
            woken.clear()
            postgres.stop(signal.SIGQUIT)
            postgres.start()
            await _once_back(other, key.id)
    await other.close()


async def test_what_is_rolled_back_wakes_nobody(store: Store, key: ApiKey, other: asyncpg.Connection) -> None:
    heard: list[object] = []
    await other.add_listener("gaiarouter_changes", lambda *said: heard.append(said))
    with pytest.raises(InvalidRequest):
        await store.add_key(replace(key, organization="org_none"))
    assert await store.add_key(key)
    await until(lambda: len(heard) > 0)
    assert len(heard) == 1


async def test_d4_a_change_that_meets_a_deadlock_is_made_again(
    store: Store, key: ApiKey, other: asyncpg.Connection
) -> None:
    await store.add_key(key)
    async with other.transaction():
        await other.execute("SET LOCAL deadlock_timeout = '10s'")  # so that it is not this one that gives way
        await other.execute("UPDATE api_keys SET description = 'theirs' WHERE id = $1", key.id)
        edit = partial(replace, name="ours")
        change = asyncio.create_task(store.change_key(key.id, edit, Author("key_admin", 9), "update"))
        async with asyncio.timeout(BOUND_S):
            while not await _waiting(other):
                pass
        await other.execute("UPDATE audit_head SET seq = seq")
    changed = await change
    assert (changed.name, changed.description) == ("ours", "theirs")
    assert [action for _, action in await store.changes(after=0, at_most=9)] == [key.id, key.id]


async def test_connections_that_the_server_closed_are_replaced(
    store: Store, key: ApiKey, other: asyncpg.Connection
) -> None:
    await store.add_key(key)
    await other.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gaiarouter'")
    assert await _once_back(store, key.id) == key


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_after_a_stop_or_crash_nothing_that_was_recorded_is_lost_or_doubled(
    store: Store, key: ApiKey, postgres: PostgresServer, how: signal.Signals, tmp_path: Path
) -> None:
    ledger = Ledger(
        store,
        Journal(tmp_path / "ledger"),
        metrics=Metrics(),
        pace=Pace(batch=10, linger_s=0.001, retry_s=0.01, max_retry_s=0.05),
    )
    ledger.start()
    await store.add_key(key)
    for number in range(300):
        ledger.record(structs.replace(RECORD, id=f"req_{number}"))
    await until(lambda: ledger.pending < 250)
    postgres.stop(how)
    with pytest.raises(StorageUnavailable):
        await store.find_key(key.id)
    assert ledger.pending > 0
    postgres.start()
    await until(lambda: ledger.pending == 0)
    await ledger.close()
    assert await store.count_usage() == 300
    assert await _once_back(store, key.id) == key


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hunter2@127.0.0.1:1/db",
        "postgresql://u:hunter2@/db?host=/nowhere",
        "postgresql://u:hunter2@%zz/db",
    ],
)
async def test_a_server_that_is_not_there_is_an_outage_that_names_no_password(address: str) -> None:
    store = open_store(Secret(address))
    with pytest.raises(StorageUnavailable) as caught:
        await store.open()
    assert "hunter2" not in str(caught.value)
    await store.close()


async def test_an_unknown_database_is_named(postgres: PostgresServer) -> None:
    store = open_store(Secret(postgres.url.replace("/postgres?", "/missing?")))
    with pytest.raises(StorageUnavailable, match='"missing" does not exist'):
        await store.open()
    await store.close()


async def test_a_store_that_is_not_open_is_an_outage(url: Secret) -> None:
    store = open_store(url)
    with pytest.raises(StorageUnavailable, match="not open"):
        await store.find_key("key_1")


async def test_a_mistake_of_ours_is_not_called_an_outage(store: Store, key: ApiKey) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await store.add_key(replace(key, name=None))  # type: ignore[arg-type]
    with pytest.raises(asyncpg.DataError, match="expected str"):
        await store.add_key(replace(key, name=7))  # type: ignore[arg-type]
    assert await store.add_key(key)


async def _waiting(connection: asyncpg.Connection) -> int:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    return int(await connection.fetchval(waiting))


async def _once_back(store: Store, key_id: str) -> ApiKey | None:
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                return await store.find_key(key_id)
            except StorageUnavailable:
                await asyncio.sleep(0)
