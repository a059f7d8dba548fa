"""On PostgreSQL each day has a table of usage records: made in time or later, dropped whole, never counted
twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from msgspec import structs

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.base import StorageUnavailable, Store, UsageRecord
from gaiarouter.store.records import Page, UsageFilter, Window
from tests.store.measure_statistics import FILL, START_US
from tests.store.postgres_server import PostgresServer
from tests.store.test_store import RECORD

DAY = 86_400_000_000
START = 20_000 * DAY  # 2024-10-04
TABLES = ["usage_records_20241004", "usage_records_20241005", "usage_records_20241006"]


def record(name: str, time_us: int) -> UsageRecord:
    return structs.replace(RECORD, id=name, time_us=time_us)


@pytest.fixture
async def store(postgres: PostgresServer) -> AsyncIterator[Store]:
    postgres.clear()
    store = open_store(Secret(postgres.url))
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def direct(postgres: PostgresServer, store: Store) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, to the tables of `store`."""
    connection = await asyncpg.connect(postgres.url)
    yield connection
    await connection.close()


async def tables(direct: asyncpg.Connection, *, until: str = "usage_records_2025") -> dict[str, int]:
    """Tables of days before then, and how many rows each has."""
    found = await direct.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_records'::regclass ORDER BY 1"
    )
    names = [name for (name,) in found if name < until]
    return {name: await direct.fetchval(f"SELECT count(*) FROM {name}") for name in names}  # names


async def test_a_start_has_made_todays_table(store: Store, direct: asyncpg.Connection) -> None:
    today = await direct.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")
    assert f"usage_records_{today}" in await tables(direct, until="usage_records_r")


async def test_days_are_made_ahead_once_however_many_want_them(store: Store, direct: asyncpg.Connection) -> None:
    await asyncio.gather(*(store.make_room(now_us=START + 5) for _ in range(8)))
    assert list(await tables(direct)) == TABLES
    await store.add_usage([record("a", START), record("b", START + DAY - 1), record("c", START + DAY)])
    assert await tables(direct) == dict(zip(TABLES, (2, 1, 0), strict=True))


async def test_what_came_before_its_days_table_moves_into_it_and_counts_once(
    store: Store, direct: asyncpg.Connection
) -> None:
    records = [record(str(number), START + number * DAY // 4) for number in range(8)]
    await store.add_usage(records)
    assert await tables(direct) == {}
    await store.make_room(now_us=START)
    assert await tables(direct) == dict(zip(TABLES, (4, 4, 0), strict=True))
    await store.add_usage(records)
    assert await store.count_usage() == 8
    ((_, sums),) = await store.usage_sums(Window(START, START + 3 * DAY), "provider")
    assert sums.requests == 8


async def test_records_that_come_while_their_day_is_made_are_all_kept(store: Store) -> None:
    async def write(number: int) -> None:
        while True:
            try:
                await store.add_usage([record(str(number), START + number)])
            except asyncpg.CheckViolationError:  # where it was to go has changed: the ledger sends it again
                continue
            return

    await asyncio.gather(*map(write, range(40)), store.make_room(now_us=START), *map(write, range(20, 60)))
    assert await store.count_usage() == 60


async def test_a_replay_after_midnight_counts_once(store: Store) -> None:
    await store.make_room(now_us=START)
    last = record("last", START + DAY - 1)
    await store.add_usage([last])
    await store.add_usage([record("next", START + DAY), last])
    assert await store.count_usage() == 2


async def test_forgetting_drops_whole_days_and_leaves_the_sums(store: Store, direct: asyncpg.Connection) -> None:
    await store.make_room(now_us=START)
    await store.add_usage([record(str(number), START + number * DAY // 4) for number in range(8)])
    assert await store.forget_usage(before_us=START + 2 * DAY - 1, at_most=1) == 0
    assert await tables(direct) == dict(zip(TABLES[1:], (4, 0), strict=True))
    assert [each.id for each in await store.list_usage(UsageFilter(Window(0, START + 9 * DAY)), Page())] == [
        *("7", "6", "5", "4")
    ]
    ((_, sums),) = await store.usage_sums(Window(START, START + 3 * DAY), "provider")
    assert sums.requests == 8


async def test_a_statement_that_reads_a_day_holds_up_its_end_but_nobody_else(
    store: Store, direct: asyncpg.Connection
) -> None:
    await store.make_room(now_us=START)
    await store.add_usage([record("a", START), record("b", START + DAY)])
    async with direct.transaction():
        await direct.fetch("SELECT 1 FROM usage_records")
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            await store.forget_usage(before_us=START + DAY, at_most=1)
        await store.add_usage([record("c", START + 1)])
    await store.forget_usage(before_us=START + DAY, at_most=1)
    assert await store.count_usage() == 1


async def test_a_user_who_may_make_no_tables_keeps_records_all_the_same(
    store: Store, direct: asyncpg.Connection, postgres: PostgresServer
) -> None:
    await direct.execute(
        "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA public TO plain; "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain"
    )
    plain = open_store(Secret(postgres.url.replace("gaia@", "plain@")))
    await plain.open(migrate=False)
    with pytest.raises(StorageUnavailable, match="permission denied"):
        await plain.make_room(now_us=START)
    await plain.add_usage([record(str(number), START + number) for number in range(5)])
    assert await plain.forget_usage(before_us=START + DAY, at_most=3) == 3
    assert await plain.forget_usage(before_us=START + DAY, at_most=3) == 2
    await plain.close()
    await direct.execute("DROP OWNED BY plain; DROP ROLE plain")


async def test_a_record_takes_less_than_500_bytes_with_its_indexes(store: Store, direct: asyncpg.Connection) -> None:
    """See tests/store/measure_statistics.py, which measures the same on millions."""
    await store.make_room(now_us=START_US)
    await direct.execute(FILL, START_US, DAY, 20_000)
    size = await direct.fetchval("SELECT pg_total_relation_size('usage_records_20241004')")
    assert await direct.fetchval("SELECT count(*) FROM usage_records_20241004") == 20_000
    assert size / 20_000 < 500


async def test_what_is_asked_of_a_few_days_reads_no_others(store: Store, direct: asyncpg.Connection) -> None:
    await store.make_room(now_us=START)
    plan = await direct.fetch(
        f"EXPLAIN SELECT id FROM usage_records WHERE time_us >= {START} AND time_us < {START + DAY}"
    )
    read = {name for name in TABLES if any(name in line for (line,) in plan)}
    assert read == {TABLES[0]}
