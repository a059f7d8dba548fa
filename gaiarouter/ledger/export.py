"""Usage as providers export it: CSV of their consoles, and JSON of their usage interfaces.

Columns and members are known by their names; those of others are passed over. A file that counts nothing that can be
compared is refused: no difference must not be said of it.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

COST: Final = "cost"
CLASSES: Final = ("requests", "input", "fresh input", "cache read", "cache write", "output", COST)

_NO_MODEL: Final = "(no model)"
_MODEL: Final = ("model", "model_version", "model_name", "model_id", "model_permaslug")
_TIME: Final = (
    *("start_time_iso", "start_time", "bucket_start", "usage_date_utc", "date", "day", "time"),
    *("created_at", "usage_date"),
)
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "requests": ("num_model_requests", "requests", "num_requests", "request_count"),
        "fresh input": (
            *("usage_input_tokens_no_cache", "uncached_input_tokens", "input_uncached_tokens"),
            "fresh_input_tokens",
        ),
        "cache read": (
            *("usage_input_tokens_cache_read", "cache_read_input_tokens", "input_cached_tokens"),
            *("cached_input_tokens", "tokens_cached"),
        ),
        "cache write": (
            *("usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h"),
            *("cache_creation_5m_input_tokens", "cache_creation_1h_input_tokens"),
            *("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
            *("cache_creation_input_tokens", "cache_write_tokens", "input_cache_write_tokens"),
        ),
        "output": ("usage_output_tokens", "output_tokens", "completion_tokens", "tokens_completion"),
    }
)
_WHOLE_INPUT: Final = ("input_tokens", "prompt_tokens", "tokens_prompt")
"""Which hold what was read from a cache, and written to one, too."""
_REQUEST: Final = ("generation_id", "request_id")
"""Where these are each row is one."""
_DOLLARS: Final = ("cost_total", "total_cost", "cost_usd", "cost")
_NANO: Final = 1_000_000_000
_NANO_A_CENT: Final = 10_000_000
_MOST: Final = 10**15
_TOLD_COLUMNS: Final = 30


class UnreadableExport(Exception):
    """The message says what the file lacks."""


@dataclass(frozen=True, slots=True)
class Export:
    """counts: by model, then by class; a class that the file has no column for is left out, what it costs is in
    nano-dollars. Days are of UTC."""

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
            raise UnreadableExport(f"{place}: {_lacks(row, 'model' if model is None else 'day')}")
        try:
            days.append(_day(row[time]))
            for kind, count in _counts(row):
                counts.setdefault(row[model], Counter())[kind] += count
        except (ValueError, OverflowError, OSError) as error:  # of the clock's functions, for times out of its range
            raise UnreadableExport(f"{place}: {error}") from error
    if not counts:
        raise UnreadableExport(f"it has no column that counts tokens, requests or costs: {_columns_of(rows[0][1])}")
    return Export(counts, min(days), max(days))


Row = Mapping[str, str]
"""By name in small letters."""


def _tabulated(text: str) -> Iterator[tuple[str, Row]]:
    """Rows of CSV, and where each stands."""
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(text), restkey=""), start=2):
            yield f"line {number}", {name.strip().lower(): value or "" for name, value in row.items()}
    except csv.Error as error:
        raise UnreadableExport(f"it is no CSV: {error}") from error


def _lacks(row: Row, what: str) -> str:
    if any(name.startswith(("sku", "service.")) for name in row):
        return (
            "it is an export of billing, by SKU: it has neither models nor classes of tokens, "
            "so there is nothing in the ledger to hold it against"
        )
    names = _MODEL if what == "model" else _TIME
    return f"it has no column for the {what} ({', '.join(names)}): {_columns_of(row)}"


def _columns_of(row: Row) -> str:
    return f"its columns are {', '.join(name[:40] for name in list(row)[:_TOLD_COLUMNS])}"


def _reported(text: str) -> Iterator[tuple[str, Row]]:
    """Results of a usage report: pages, or a list of them, of buckets of time, of results; or of rows by day."""
    try:
        pages = json.loads(text)
        pages = pages if isinstance(pages, list) else [pages]
        if pages and pages[-1].get("has_more"):
            raise UnreadableExport("there are more pages: put all of them into one list, [PAGE, PAGE]")
        for number, bucket in enumerate([bucket for page in pages for bucket in page["data"]], start=1):
            if "results" not in bucket:
                yield f"row {number}", dict(_flat(bucket))
                continue
            time = bucket.get("starting_at", bucket.get("start_time"))
            for result in bucket["results"]:
                yield f"the results of {time}", {**dict(_flat(result)), "model": _model(result), "time": str(time)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableExport(f"it is no usage report: {error!r}") from error


def _model(result: Mapping[str, Any]) -> str:
    """Of a report's result. Raises UnreadableExport."""
    if result.get("model") is not None:
        return str(result["model"])
    if result.get("object") == "organization.costs.result":
        raise UnreadableExport(
            "it is a report of costs, which are not by model there: ask for /v1/organization/usage/completions "
            "with `group_by` model"
        )
    if "amount" not in result:
        raise UnreadableExport("its results are not by model: ask for them with `group_by` model")
    if result.get("cost_type") is None:
        raise UnreadableExport("its costs are not by model: ask for them with `group_by` description")
    return _NO_MODEL  # what tools cost


def _flat(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in result.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name.lower(), "" if value is None else str(value)


def _counts(row: Row) -> Iterator[tuple[str, int]]:
    for kind, columns in _COLUMNS.items():
        if any(column in row for column in columns):
            yield kind, _sum(row, columns)
    whole = _first(row, _WHOLE_INPUT)
    cached = [column for kind in ("cache read", "cache write") for column in _COLUMNS[kind] if column in row]
    if whole is not None and not any(column in row for column in _COLUMNS["fresh input"]):
        yield ("fresh input", _sum(row, (whole,)) - _sum(row, cached)) if cached else ("input", _sum(row, (whole,)))
    if _first(row, _REQUEST) is not None and _first(row, _COLUMNS["requests"]) is None:
        yield "requests", 1
    if (nano := _cost_nano(row)) is not None:
        yield COST, nano


def _cost_nano(row: Row) -> int | None:
    """What the row cost, in dollars or, in Anthropic's report of costs, cents."""
    if "amount" in row and "cost_type" in row:
        return round(_number(row["amount"]) * _NANO_A_CENT)
    dollars = "usage" if "byok_usage_inference" in row and "usage" in row else _first(row, _DOLLARS)
    return None if dollars is None else round(_number(row[dollars]) * _NANO)


def _sum(row: Row, columns: Iterable[str]) -> int:
    return sum(int(_number(row[column])) for column in columns if column in row)


def _number(text: str) -> Decimal:
    """Raises ValueError."""
    try:
        number = Decimal(text.strip().replace(",", "") or 0)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or abs(number) > _MOST:
        raise ValueError(f"{text[:40]!r} is not a number of anything")
    return number


def _first(row: Row, wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in row), None)


def _day(text: str) -> datetime:
    """Seconds since the epoch, or a date or time in ISO 8601."""
    if text.strip().isdigit():
        time = datetime.fromtimestamp(int(text), tz=UTC)
    else:
        time = datetime.fromisoformat(text.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    if not 2000 <= time.year < 3000:
        raise ValueError(f"{text[:40]!r} is no day on which anything was counted")
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _us(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000
