"""Usage as providers export it: CSV of their consoles, and JSON of their usage interfaces.

Columns and members are known by their names; those of others are passed over.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

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
            *("cache_creation_5m_input_tokens", "cache_creation_1h_input_tokens"),
            *("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
            *("cache_creation_input_tokens", "cache_write_tokens", "input_cache_write_tokens"),
        ),
        "output": ("usage_output_tokens", "output_tokens", "completion_tokens"),
    }
)
_WHOLE_INPUT: Final = ("input_tokens", "prompt_tokens")
"""Which hold what was read from a cache, and written to one, too."""


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


def read_export(text: str) -> Export:
    """Raises UnreadableExport."""
    text = text.removeprefix("\ufeff")
    rows = list(_reported(text) if text.lstrip().startswith(("{", "[")) else _tabulated(text))
    if not rows:
        raise UnreadableExport("it has no rows")
    counts: dict[str, Counter[str]] = {}
    days: list[datetime] = []
    for place, row in rows:
        model, time = _first(row, _MODEL), _first(row, _TIME)
        if model is None or time is None:
            wanted = f"the model ({', '.join(_MODEL)}) or none for the day ({', '.join(_TIME)})"
            raise UnreadableExport(f"{place}: it has no column for {wanted}")
        try:
            days.append(_day(row[time]))
            for kind, count in _counts(row):
                counts.setdefault(row[model], Counter())[kind] += count
        except ValueError as error:
            raise UnreadableExport(f"{place}: {error}") from error
    return Export(counts, min(days), max(days))


Row = Mapping[str, str]
"""By name in small letters."""


def _tabulated(text: str) -> Iterator[tuple[str, Row]]:
    """Rows of CSV, and where each stands."""
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        yield f"line {number}", {(name or "").strip().lower(): value or "" for name, value in row.items()}


def _reported(text: str) -> Iterator[tuple[str, Row]]:
    """Results of a usage report: pages, or a list of them, of buckets of time, of results."""
    try:
        pages = json.loads(text)
        pages = pages if isinstance(pages, list) else [pages]
        if pages and pages[-1].get("has_more"):
            raise UnreadableExport("there are more pages: put all of them into one list, [PAGE, PAGE]")
        for bucket in [bucket for page in pages for bucket in page["data"]]:
            time = bucket.get("starting_at", bucket.get("start_time"))
            for result in bucket["results"]:
                place = f"the results of {time}"
                if result.get("model") is None:
                    raise UnreadableExport(f"{place} are not by model: ask for them with `group_by` model")
                yield place, {**dict(_flat(result)), "time": str(time)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableExport(f"it is no usage report: {error!r}") from error


def _flat(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in result.items():
        if isinstance(value, dict):
            yield from _flat(value)
        elif value is not None:
            yield name, str(value)


def _counts(row: Row) -> Iterator[tuple[str, int]]:
    for kind, columns in _COLUMNS.items():
        if any(column in row for column in columns):
            yield kind, _sum(row, columns)
    whole = _first(row, _WHOLE_INPUT)
    if whole is not None and not any(column in row for column in _COLUMNS["fresh input"]):
        yield "fresh input", _sum(row, (whole,)) - _sum(row, (*_COLUMNS["cache read"], *_COLUMNS["cache write"]))


def _sum(row: Row, columns: Iterable[str]) -> int:
    return sum(int(float(row[column] or 0)) for column in columns if column in row)


def _first(row: Row, wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in row), None)


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
