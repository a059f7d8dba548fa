"""Usage: a row a request, and the same once more added up by the hour. Both are written in one transaction, with what
the requests had reserved of budgets, so that no batch counts twice however often it is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import add, attrgetter
from typing import Any, Final

from gaiarouter.canonical.usage import Usage
from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import UsageRecord
from gaiarouter.store.rows import USAGE_READ, USAGE_WRITTEN, Row, storable, usage_of, usage_rows
from gaiarouter.store.tables.budgets import owe, settle
from gaiarouter.store.tables.days import DAY_US, drop_days, make_days
from gaiarouter.store.tables.histogram import BUCKETS, bucket_of

_AT_ONCE: Final = (100, 10, 1)
"""Rows of one statement: few texts, so that each is prepared once."""

HOUR_US: Final = 3_600_000_000
TOKENS: Final = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
GROUP: Final = ("organization", "key", "route", "model", "provider", "status_class")
SUMS: Final = (
    *("requests", "errors", "unpriced", *TOKENS, "cost_nano_usd"),
    *(f"d{bucket}" for bucket in range(BUCKETS)),
    *(f"f{bucket}" for bucket in range(BUCKETS)),
)
_STATS: Final = (*GROUP, *SUMS)
ROLLUPS: Final = {HOUR_US: ("usage_stats", "hour_us"), DAY_US: ("usage_days", "day_us")}
"""By how long they sum up: the table, and the column of when that begins."""
_MOST: Final = 10**15
"""Of one record: nothing real comes near it, and sums of it fit."""

FIND: Final = f"SELECT {', '.join(USAGE_READ)} FROM usage_records WHERE id = $1"  # noqa: S608  # constants
COUNT: Final = "SELECT count(*) FROM usage_records"
FORGET: Final = """
DELETE FROM usage_records WHERE time_us < $1 AND (time_us, id) IN (
    SELECT time_us, id FROM usage_records WHERE time_us < $1 ORDER BY time_us, id LIMIT $2
) RETURNING id
"""
ASKED: Final = (
    f"SELECT model_asked, count(*), {', '.join(f'sum({name})' for name in TOKENS)} "  # noqa: S608  # constants
    "FROM usage_records WHERE time_us >= $1 AND model_asked IS NOT NULL GROUP BY model_asked ORDER BY model_asked"
)


def _places(rows: int, columns: int) -> str:
    numbers = iter(range(1, rows * columns + 1))
    return ", ".join(f"({', '.join(f'${next(numbers)}' for _ in range(columns))})" for _ in range(rows))


_ADD: Final = {
    rows: f"INSERT INTO usage_records ({', '.join(USAGE_WRITTEN)}) "  # noqa: S608  # constants
    f"VALUES {_places(rows, len(USAGE_WRITTEN))} ON CONFLICT DO NOTHING RETURNING id"
    for rows in _AT_ONCE
}
_ADD_SUMS: Final = {
    span: f"INSERT INTO {table} ({', '.join((begins, *_STATS))}) "  # noqa: S608  # constants
    f"VALUES {_places(1, 1 + len(_STATS))} ON CONFLICT ({', '.join((begins, *GROUP))}) DO UPDATE SET "
    + ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    for span, (table, begins) in ROLLUPS.items()
}


class SqlUsage:
    """Implements UsageTable."""

    _database: Database

    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        await self._database.work(lambda: _add(records))

    async def find_usage(self, record_id: str) -> UsageRecord | None:
        rows = await self._database.read(FIND, record_id)
        return usage_of(rows[0]) if rows else None

    async def make_room(self, *, now_us: int) -> None:
        if self._database.keeps_days:
            await self._database.work(lambda: make_days(now_us))

    async def forget_usage(self, *, before_us: int, at_most: int) -> int:
        if self._database.keeps_days:
            before_us = await self._database.work(lambda: drop_days(before_us))
        return len(await self._database.write(FORGET, before_us, at_most))

    async def count_usage(self) -> int:
        return int((await self._database.read(COUNT))[0][0])

    async def usage_by_model(self, *, since_us: int) -> Sequence[tuple[str, int, Usage]]:
        rows = await self._database.read(ASKED, since_us)
        return [(model, int(count), _usage_of(tokens)) for model, count, *tokens in rows]


def _usage_of(tokens: Sequence[Any]) -> Usage:
    uncached, read, written, tool, visible, reasoning = (int(each) for each in tokens)
    return Usage(uncached, read, written, tool, visible, reasoning)


def _add(records: Sequence[UsageRecord]) -> Unit[None]:
    new: set[str] = set()
    for rows in _portions(usage_rows(records)):
        added = yield _ADD[len(rows)], tuple(chain.from_iterable(rows))
        new.update(row[0] for row in added)
    hours = added_up([record for record in records if record.id in new])
    for span, sums in ((HOUR_US, hours), (DAY_US, _by_day(hours))):
        # in the order of their keys: two processes then never wait for each other in a circle
        for group, counts in sorted(sums.items()):
            yield _ADD_SUMS[span], (*map(storable, group), *counts)
    yield from owe([record for record in records if record.owed and record.id in new])
    yield from settle()


def _portions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    while start < len(rows):
        size = next(size for size in _AT_ONCE if size <= len(rows) - start)
        yield rows[start : start + size]
        start += size


Totals = dict[Row, list[int]]
"""By when it begins and GROUP: the numbers of SUMS."""

_numbers = attrgetter(*TOKENS, "duration_us")
_about = attrgetter("organization", "key", "route", "model_served", "provider", "status")


def added_up(records: Sequence[UsageRecord]) -> Totals:
    """By the hour."""
    alike: dict[Row, list[UsageRecord]] = {}
    for record in {record.id: record for record in records}.values():
        alike.setdefault((record.time_us // HOUR_US, _about(record)), []).append(record)
    totals: Totals = {}
    for (hour, (*names, status)), each in alike.items():
        group = (hour * HOUR_US, *(name or "" for name in names), status // 100)
        sums = _sums(each, is_error=status >= 400)
        totals[group] = list(map(add, totals[group], sums)) if group in totals else sums
    return totals


def _sums(records: Sequence[UsageRecord], *, is_error: bool) -> list[int]:
    *tokens, durations = zip(*map(_numbers, records), strict=True)
    first_contents = [each.first_content_us for each in records if each.first_content_us is not None]
    costs = [each.cost_nano_usd for each in records if each.cost_nano_usd is not None]
    unpriced = 0
    if len(costs) < len(records):
        unpriced = sum(each.cost_nano_usd is None and any(_numbers(each)[:-1]) for each in records)
    return [
        len(records),
        len(records) if is_error else 0,
        unpriced,
        *map(_sum, tokens),
        _sum(costs),
        *_buckets(durations),
        *_buckets(first_contents),
    ]


def _sum(counts: Sequence[int]) -> int:
    return sum(counts) if max(counts, default=0) <= _MOST else sum(min(count, _MOST) for count in counts)


def _buckets(durations_us: Sequence[int]) -> list[int]:
    found = Counter(map(bucket_of, durations_us))
    return [found[bucket] for bucket in range(BUCKETS)]


def _by_day(hours: Totals) -> Totals:
    days: Totals = {}
    for (hour_us, *names), counts in hours.items():
        day = (hour_us - hour_us % DAY_US, *names)
        days[day] = list(map(add, days[day], counts)) if day in days else counts
    return days
