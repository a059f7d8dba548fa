"""A provider's usage export against the ledger: where the two counts of the same tokens differ.

Read are CSV files as providers' consoles write them; columns are known by their names, those of others are passed over.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from gaiarouter.store.records import LostAttempt, Sums, Window
from gaiarouter.store.tables.protocols import StatisticsTable

CLASSES: Final = ("requests", "fresh input", "cache read", "cache write", "output")

_MODEL: Final = ("model", "model_version", "model_name", "model_id")
_TIME: Final = ("start_time_iso", "start_time", "bucket_start", "usage_date_utc", "date", "day", "time")
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "requests": ("num_model_requests", "requests", "num_requests", "request_count"),
        "fresh input": (
            *("usage_input_tokens_no_cache", "uncached_input_tokens", "input_uncached_tokens"),
            "fresh_input_tokens",
        ),
        "cache read": (
            *("usage_input_tokens_cache_read", "cache_read_input_tokens", "input_cached_tokens"),
            "cached_input_tokens",
        ),
        "cache write": (
            *("usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h"),
            *("cache_creation_input_tokens", "cache_write_tokens"),
        ),
        "output": ("usage_output_tokens", "output_tokens", "completion_tokens"),
    }
)
_WHOLE_INPUT: Final = ("input_tokens", "prompt_tokens")
"""Which hold what was read from a cache too."""


class UnreadableExport(Exception):
    """The message says what the file lacks."""


@dataclass(frozen=True, slots=True)
class Export:
    """counts: by model, then by class; a class that the file has no column for is left out. Days are of UTC."""

    counts: Mapping[str, Mapping[str, int]]
    first_day: datetime
    last_day: datetime

    @property
    def window_us(self) -> tuple[int, int]:
        return _us(self.first_day), _us(self.last_day + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Difference:
    """lost: what tries without an answer may have been billed, beside what `ours` counts of answers."""

    model: str
    kind: str
    theirs: int
    ours: int
    lost: int = 0

    @property
    def by(self) -> int:
        """0 also where what was lost, or a part of it, explains the rest."""
        if self.ours <= self.theirs <= self.ours + self.lost:
            return 0
        return min(self.ours + self.lost - self.theirs, 0) or self.ours - self.theirs


def read_export(text: str) -> Export:
    """Raises UnreadableExport."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    names = {name.strip().lower(): name for name in rows.fieldnames or ()}
    model, time = _first(names, _MODEL), _first(names, _TIME)
    if model is None or time is None:
        wanted = f"the model ({', '.join(_MODEL)}) or none for the day ({', '.join(_TIME)})"
        raise UnreadableExport(f"it has no column for {wanted}")
    counts: dict[str, Counter[str]] = {}
    days: list[datetime] = []
    for number, row in enumerate(rows, start=2):
        try:
            days.append(_day(row[time]))
            for kind, count in _counts(row, names):
                counts.setdefault(row[model], Counter())[kind] += count
        except ValueError as error:
            raise UnreadableExport(f"line {number}: {error}") from error
    if not days:
        raise UnreadableExport("it has no rows")
    return Export(counts, min(days), max(days))


def _counts(row: Mapping[str, str], names: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for kind, columns in _COLUMNS.items():
        found = [int(float(row[names[column]] or 0)) for column in columns if column in names]
        if found:
            yield kind, sum(found)
    whole = _first(names, _WHOLE_INPUT)
    if whole is not None and not any(column in names for column in _COLUMNS["fresh input"]):
        cached = [int(float(row[names[column]] or 0)) for column in _COLUMNS["cache read"] if column in names]
        yield "fresh input", int(float(row[whole] or 0)) - sum(cached)


def _first(names: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _day(text: str) -> datetime:
    """Seconds since the epoch, or a date or time in ISO 8601."""
    if text.strip().isdigit():
        time = datetime.fromtimestamp(int(text), tz=UTC)
    else:
        time = datetime.fromisoformat(text.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _us(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000


async def compared(export: Export, ledger: StatisticsTable, *, provider: str | None) -> Sequence[Difference]:
    """As differences, with what the ledger has of the export's days; provider narrows."""
    window = Window(*export.window_us, provider=provider)
    sums = await ledger.usage_sums(window, "model")
    return differences(export, ((str(model), each) for model, each in sums), await ledger.list_lost(window))


def differences(
    export: Export, ledger: Iterable[tuple[str, Sums]], lost: Iterable[LostAttempt] = ()
) -> Sequence[Difference]:
    """Every model and class that either counted, the largest difference first. Only classes that the file tells of."""
    ours = {model: _ours(sums) for model, sums in ledger}
    beside: dict[str, Counter[str]] = {}
    for attempt in lost:
        beside.setdefault(attempt.model, Counter()).update(_lost(attempt))
    told = {kind for counts in export.counts.values() for kind in counts}
    found = [
        Difference(model, kind, *(counts.get(model, {}).get(kind, 0) for counts in (export.counts, ours, beside)))
        for model in sorted({*export.counts, *ours, *beside})
        for kind in CLASSES
        if kind in told
    ]
    return sorted((each for each in found if each.theirs or each.ours or each.lost), key=lambda each: -abs(each.by))


def _ours(sums: Sums) -> Mapping[str, int]:
    tokens = sums.tokens
    return {
        "requests": sums.requests - sums.errors,
        "fresh input": tokens["in_uncached"] + tokens["in_tool"],
        "cache read": tokens["in_cache_read"],
        "cache write": tokens["in_cache_write"],
        "output": tokens["out_visible"] + tokens["out_reasoning"],
    }


def _lost(attempt: LostAttempt) -> Mapping[str, int]:
    return {
        "requests": 1,
        "fresh input": attempt.in_uncached,
        "cache read": attempt.in_cache_read,
        "cache write": attempt.in_cache_write,
        "output": attempt.out,
    }


def render(export: Export, found: Sequence[Difference]) -> str:
    """A table for a person; the days first."""
    head = f"{export.first_day:%Y-%m-%d} to {export.last_day:%Y-%m-%d}, whole days in UTC"
    rows = [("MODEL", "CLASS", "PROVIDER", "LEDGER", "MAY BE BILLED", "DIFFERENCE")]
    rows += [
        (each.model, each.kind, f"{each.theirs:,}", f"{each.ours:,}", f"{each.lost:,}", _by(each)) for each in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join((head, *(_line(row, widths) for row in rows)))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    return "  ".join((*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:]))).rstrip()


def _by(each: Difference) -> str:
    share = f" ({each.by / each.theirs:+.1%})" if each.theirs and each.by else ""
    return f"{each.by:+,}{share}" if each.by else "none"
