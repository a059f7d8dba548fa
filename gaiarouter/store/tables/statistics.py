"""What is read of usage: sums over the hours, and the records behind them. Sums are exact, quantiles approximate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Final

from gaiarouter.store.database import Database
from gaiarouter.store.records import Page, StatsGroup, Sums, UsageFilter, UsageRecord, Window
from gaiarouter.store.rows import usage_of
from gaiarouter.store.tables.histogram import BUCKETS
from gaiarouter.store.tables.usage import SUMS, TOKENS

_WHERE: Final = """
WHERE hour_us >= $1 AND hour_us < $2 AND (organization = $3 OR $3 IS NULL) AND (key = $4 OR $4 IS NULL)
"""
_BY: Final[Mapping[StatsGroup, str]] = MappingProxyType(
    {
        "hour": "hour_us",
        "day": "hour_us / 86400000000",
        **{name: name for name in ("model", "provider", "key", "organization", "route")},
    }
)
_SUMMED: Final = ", ".join(f"SUM({name})" for name in SUMS)
STATS: Final[Mapping[StatsGroup, str]] = MappingProxyType(
    {
        group: f"SELECT {by}, {_SUMMED} FROM usage_stats {_WHERE} GROUP BY 1 ORDER BY 1"  # noqa: S608  # constants
        for group, by in _BY.items()
    }
)

_RECORDS: Final = """
FROM usage_records
WHERE time_us >= $1 AND time_us < $2
  AND (organization = $3 OR $3 IS NULL OR ($3 = '' AND organization IS NULL)) AND (key = $4 OR $4 IS NULL)
  AND (model_served = $5 OR $5 IS NULL) AND (provider = $6 OR $6 IS NULL) AND (outcome = $7 OR $7 IS NULL)
  AND (request_id = $8 OR $8 IS NULL)
"""
_NAMES: Final = ", ".join(field.name for field in fields(UsageRecord))
LIST: Final = f"SELECT {_NAMES} {_RECORDS} ORDER BY time_us DESC, id DESC LIMIT $9 OFFSET $10"  # constants
COUNT: Final = f"SELECT count(*) FROM (SELECT 1 {_RECORDS} LIMIT $9) AS counted"  # noqa: S608  # constants

_DAY_US: Final = 86_400_000_000


class SqlStatistics:
    """Implements StatisticsTable."""

    _database: Database

    async def usage_sums(self, window: Window, by: StatsGroup) -> Sequence[tuple[str | int, Sums]]:
        rows = await self._database.read(STATS[by], window.start_us, window.end_us, window.organization, window.key)
        unit = _DAY_US if by == "day" else 1
        return [(row[0] * unit if isinstance(row[0], int) else row[0], _sums(row[1:])) for row in rows]

    async def list_usage(self, which: UsageFilter, page: Page) -> Sequence[UsageRecord]:
        rows = await self._database.read(LIST, *_narrowed(which), page.limit, page.offset)
        return [usage_of(row) for row in rows]

    async def count_usage_of(self, which: UsageFilter, *, at_most: int) -> int:
        return int((await self._database.read(COUNT, *_narrowed(which), at_most))[0][0])


def _narrowed(which: UsageFilter) -> tuple[object, ...]:
    window = which.window
    return (
        *(window.start_us, window.end_us, window.organization, window.key),
        *(which.model, which.provider, which.outcome, which.request_id),
    )


def _sums(values: Sequence[object]) -> Sums:
    numbers = [int(str(value)) for value in values]  # PostgreSQL sums up whole numbers as decimals
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
