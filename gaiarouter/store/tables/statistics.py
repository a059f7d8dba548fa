"""What is read of usage: sums over the hours, and the records behind them. Sums are exact, quantiles approximate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from gaiarouter.store.database import Database
from gaiarouter.store.records import LostAttempt, Page, StatsGroup, Sums, UsageFilter, UsageRecord, Window
from gaiarouter.store.rows import USAGE_READ, lost_of, usage_of
from gaiarouter.store.tables.days import DAY_US
from gaiarouter.store.tables.histogram import BUCKETS
from gaiarouter.store.tables.usage import HOUR_US, ROLLUPS, SUMS, TOKENS

_WHERE: Final = "(organization = $3 OR $3 IS NULL) AND (key = $4 OR $4 IS NULL) AND (provider = $5 OR $5 IS NULL)"
_NAMED: Final[tuple[StatsGroup, ...]] = ("model", "provider", "key", "organization", "route")
_SUMMED: Final = ", ".join(f"SUM({name})" for name in SUMS)


def _statement(span: int, by: StatsGroup) -> str:
    table, begins = ROLLUPS[span]
    group = {"hour": begins, "day": f"{begins} / {DAY_US}"}.get(by, by)
    return (
        f"SELECT {group}, {_SUMMED} FROM {table} "  # noqa: S608  # constants
        f"WHERE {begins} >= $1 AND {begins} < $2 AND {_WHERE} GROUP BY 1"
    )


STATS: Final[Mapping[tuple[int, StatsGroup], str]] = MappingProxyType(
    {
        **{(span, by): _statement(span, by) for span in ROLLUPS for by in ("day", *_NAMED)},
        (HOUR_US, "hour"): _statement(HOUR_US, "hour"),
    }
)

_RECORDS: Final = """
FROM usage_records
WHERE time_us >= $1 AND time_us < $2
  AND (organization = $3 OR $3 IS NULL OR ($3 = '' AND organization IS NULL)) AND (key = $4 OR $4 IS NULL)
  AND (model_served = $5 OR $5 IS NULL) AND (provider = $6 OR $6 IS NULL) AND (outcome = $7 OR $7 IS NULL)
  AND (request_id = $8 OR $8 IS NULL)
"""
LIST: Final = (
    f"SELECT {', '.join(USAGE_READ)} {_RECORDS} ORDER BY time_us DESC, id DESC LIMIT $9 OFFSET $10"  # constants
)
COUNT: Final = f"SELECT count(*) FROM (SELECT 1 {_RECORDS} LIMIT $9) AS counted"  # noqa: S608  # constants
_LOST: Final = """
SELECT time_us, id, lost FROM usage_records
WHERE lost IS NOT NULL AND time_us >= $1 AND time_us < $2 AND (time_us > $1 OR id > $3) ORDER BY time_us, id LIMIT $4
"""
_LOST_AT_ONCE: Final = 2000


class SqlStatistics:
    """Implements StatisticsTable."""

    _database: Database

    async def usage_sums(self, window: Window, by: StatsGroup) -> Sequence[tuple[str | int, Sums]]:
        """Whole days are read from where they are summed up, what stands over at both ends by the hour."""
        groups: dict[str | int, Sums] = {}
        for span, start_us, end_us in _spans(window, by):
            narrowed = (window.organization, window.key, window.provider)
            rows = await self._database.read(STATS[span, by], start_us, end_us, *narrowed)
            for name, *values in rows:
                group = name * DAY_US if by == "day" else name
                groups[group] = groups[group] + _sums(values) if group in groups else _sums(values)
        return sorted(groups.items())

    async def list_lost(self, window: Window) -> Sequence[LostAttempt]:
        found: list[LostAttempt] = []
        start_us, after = window.start_us, ""
        while rows := await self._database.read(_LOST, start_us, window.end_us, after, _LOST_AT_ONCE):
            found += [each for *_, lost in rows for each in lost_of(lost)]
            start_us, after, _ = rows[-1]
        return [each for each in found if window.provider in (None, each.provider)]

    async def list_usage(self, which: UsageFilter, page: Page) -> Sequence[UsageRecord]:
        rows = await self._database.read(LIST, *_narrowed(which), page.limit, page.offset)
        return [usage_of(row) for row in rows]

    async def count_usage_of(self, which: UsageFilter, *, at_most: int) -> int:
        return int((await self._database.read(COUNT, *_narrowed(which), at_most))[0][0])


def _spans(window: Window, by: StatsGroup) -> Iterator[tuple[int, int, int]]:
    """Pieces of the window, none empty: how long what they are read from sums up, start and end."""
    first, last = window.start_us + -window.start_us % DAY_US, window.end_us - window.end_us % DAY_US
    if by == "hour" or last <= first:
        first = last = window.end_us
    for span, start_us, end_us in (
        (HOUR_US, window.start_us, first),
        (DAY_US, first, last),
        (HOUR_US, last, window.end_us),
    ):
        if start_us < end_us:
            yield span, start_us, end_us


def _narrowed(which: UsageFilter) -> tuple[object, ...]:
    window = which.window
    return (
        *(window.start_us, window.end_us, window.organization, window.key),
        *(which.model, which.provider, which.outcome, which.request_id),
    )


def _sums(values: Sequence[Any]) -> Sums:
    numbers = [int(value) for value in values]  # PostgreSQL sums up whole numbers as decimals
    counted = len(SUMS) - 2 * BUCKETS
    requests, errors, unpriced, *tokens, cost = numbers[:counted]
    return Sums(
        requests=requests,
        errors=errors,
        unpriced=unpriced,
        tokens=dict(zip(TOKENS, tokens, strict=True)),
        cost_nano_usd=cost,
        durations=tuple(numbers[counted : counted + BUCKETS]),
        first_contents=tuple(numbers[counted + BUCKETS :]),
    )
