"""How long the statistics of a month take beside five million records on PostgreSQL, and how large a row is.

    .venv/bin/python -m tests.store.measure_statistics 5000000

A month of fifty keys in ten organizations on eight models, one request in fifty an error. Prints the medians and p95 of
each question, the size of a row, and the plans.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time

import asyncpg

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.base import Store
from gaiarouter.store.records import Page, StatsGroup, UsageFilter, Window
from gaiarouter.store.tables.days import DAY_US
from gaiarouter.store.tables.histogram import BOUNDS_MS, BUCKETS
from gaiarouter.store.tables.statistics import STATS
from gaiarouter.store.tables.usage import GROUP, ROLLUPS, SUMS
from tests.store.postgres_server import PostgresServer

START_US = 20_000 * 86_400_000_000
MONTH_US = 30 * 86_400_000_000
ROUNDS = 40
BY: tuple[StatsGroup, ...] = ("day", "model")

FILL = """
INSERT INTO usage_records (
    id, time_us, key, organization, route, model_asked, model_served, provider, attempts, status, outcome, error,
    streamed, in_uncached, in_cache_read, in_cache_write, in_tool, out_visible, out_reasoning, estimated, cost_nano_usd,
    duration_us, first_content_us, request_id
)
SELECT 'rec' || lpad(n::text, 25, '0'), $1::bigint + n * ($2::bigint / $3::bigint),
       'key_' || CASE WHEN n % 10007 = 3 AND n < $3::bigint / 3 THEN 'silent' ELSE lpad((n % 50)::text, 12, '0') END,
       'org_' || lpad((n % 10)::text, 12, '0'),
       'gpt', 'model-' || (n / 50 % 8), 'model-' || (n / 50 % 8), 'openai', 1,
       CASE WHEN n % 50 = 7 AND n / 50 % 2 = 0 THEN 502 ELSE 200 END, 'ok', NULL, n % 2 = 0,
       1000 + n % 977, n % 501, 0, 0, 200 + n % 311, 0, FALSE, 3000000 + n % 1000003, 400000 + (n * 7919) % 9000000,
       200000 + (n * 104729) % 2000000, 'req_' || left(md5(n::text), 24)
FROM generate_series(0, $3::bigint - 1) AS n
"""


def _add_up(span: int) -> str:
    """A rollup from usage_records, in the database."""
    table, begins = ROLLUPS[span]
    bounds = ", ".join(str(bound * 1000 + 1) for bound in BOUNDS_MS)  # the function's bounds are exclusive below
    counted = {
        "requests": "count(*)",
        "errors": "count(*) FILTER (WHERE status >= 400)",
        "unpriced": "count(*) FILTER (WHERE cost_nano_usd IS NULL)",
        **{
            f"{letter}{bucket}": f"count(*) FILTER (WHERE width_bucket({column}, ARRAY[{bounds}]) = {bucket})"
            for letter, column in (("d", "duration_us"), ("f", "first_content_us"))
            for bucket in range(BUCKETS)
        },
    }
    sums = ", ".join(counted.get(name, f"sum({name})") for name in SUMS)
    columns = ", ".join((begins, *GROUP, *SUMS))
    return (
        f"INSERT INTO {table} ({columns}) "
        f"SELECT time_us / {span} * {span}, organization, key, route, model_served, provider, status / 100, {sums} "
        "FROM usage_records GROUP BY 1, 2, 3, 4, 5, 6, 7"
    )


async def measure(url: str, records: int) -> None:
    store = open_store(Secret(url))
    await store.open()
    for day_us in range(START_US, START_US + MONTH_US, DAY_US):
        await store.make_room(now_us=day_us)
    direct = await asyncpg.connect(url)
    await direct.execute(FILL, START_US, MONTH_US, records)
    for span in ROLLUPS:
        await direct.execute(_add_up(span))
    await direct.execute("VACUUM ANALYZE")
    whole, row, hours, days = await direct.fetchrow(
        "SELECT sum(pg_total_relation_size(relid)), sum(pg_relation_size(relid)), "
        "(SELECT count(*) FROM usage_stats), (SELECT count(*) FROM usage_days) "
        "FROM pg_partition_tree('usage_records') WHERE isleaf"
    )
    print(f"{records} records: {row / records:.0f} bytes a row, {whole / records:.0f} with indexes")
    sizes = await direct.fetch(
        "SELECT regexp_replace(relname, '.*\\d_', ''), sum(pg_relation_size(indexrelid)) AS size "
        "FROM pg_partition_tree('usage_records') AS part JOIN pg_index ON indrelid = part.relid "
        "JOIN pg_class ON pg_class.oid = indexrelid WHERE isleaf GROUP BY 1 "
        "HAVING sum(pg_relation_size(indexrelid)) > $1",
        records,
    )
    print(*(f"{name}: {size / records:.0f} bytes a row" for name, size in sizes), sep="\n")
    print(f"{hours} rows of hours, {days} of days")
    await _time(store)
    for by in BY:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {STATS[DAY_US, by]}"
        plan = await direct.fetch(explain, START_US, START_US + MONTH_US, None, None, None)
        print(f"-- {by}", *(line[0] for line in plan), sep="\n")
    await direct.close()
    await store.close()


async def _time(store: Store) -> None:
    month = Window(START_US, START_US + MONTH_US)
    tenant = Window(START_US, START_US + MONTH_US, organization="org_000000000003")
    key = Window(START_US, START_US + MONTH_US, key="key_000000000017")
    silent = Window(START_US, START_US + MONTH_US, key="key_silent")
    for name, ask in {
        "month by day": lambda: store.usage_sums(month, "day"),
        "month by model": lambda: store.usage_sums(month, "model"),
        "an organization's month by day": lambda: store.usage_sums(tenant, "day"),
        "a key's month by model": lambda: store.usage_sums(key, "model"),
        "newest 20 records of an organization": lambda: store.list_usage(UsageFilter(tenant), Page(limit=20)),
        "newest 20 records of a key": lambda: store.list_usage(UsageFilter(key), Page(limit=20)),
        "newest 20 records of a key silent for 20 days": lambda: store.list_usage(UsageFilter(silent), Page(limit=20)),
        "an organization's number of records, up to 100,000": lambda: store.count_usage_of(
            UsageFilter(tenant), at_most=100_000
        ),
        "a record by its request": lambda: store.list_usage(
            UsageFilter(month, request_id="req_" + hashlib.md5(b"12345", usedforsecurity=False).hexdigest()[:24]),
            Page(limit=20),
        ),
    }.items():
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        print(f"{name}: median {took[ROUNDS // 2]:.0f} ms, p95 {took[int(ROUNDS * 0.95) - 1]:.0f} ms")


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    server = PostgresServer()
    server.start()
    try:
        asyncio.run(measure(server.url, records))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
