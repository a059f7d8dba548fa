"""When a provider says to come back, in every way they say it.

There is no clock here: a date is read against the answer's own `date` header, which `upstream/` adds where a provider
leaves it out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_TRY_AGAIN = re.compile(r"(?:try again|retry|wait)[^.\d]{0,24}((?:\d+(?:\.\d+)?(?:ms|s|m|h)\s?)+)", re.IGNORECASE)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|s|m|h)")
_WINDOW = re.compile(r"x-ratelimit-remaining(?:-.+)?|anthropic-ratelimit-.+-remaining")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)")
_DAY_S = 86400.0
"""Beyond it a number is a point of time, in whatever unit."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def retry_after_s(headers: Mapping[str, str], error: Mapping[str, Any], message: str) -> float | None:
    """Seconds to wait; the first of the provider's hints that parses. `headers` have lower-case names.

    error: the body's error object, which may hold Google's `details` or OpenRouter's `metadata.headers`.
    """
    now = _date(headers.get("date", ""))
    hints = (
        _number(headers.get("retry-after-ms"), 0.001),
        _number(headers.get("retry-after")),
        _until(_date(headers.get("retry-after", "")), now),
        _retry_info(error.get("details")),
        _epoch_ms(error.get("metadata"), now),
        duration_s(found.group(1)) if (found := _TRY_AGAIN.search(message[:2048])) else None,
        _exhausted_window(headers, now),
    )
    return next((hint for hint in hints if hint is not None), None)


def duration_s(text: str) -> float | None:
    """Seconds in `1.2s`, `450ms`, `6m0s`, `34.07s` or a bare number of seconds."""
    parts = _DURATION_PART.findall(text)
    return sum(float(value) * _SECONDS[unit] for value, unit in parts) if parts else _number(text)


def _number(value: object, factor: float = 1.0) -> float | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        seconds = float(value) * factor
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _until(then: datetime | None, now: datetime | None) -> float | None:
    return max(0.0, (then - now).total_seconds()) if then and now else None


def _retry_info(details: object) -> float | None:
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return duration_s(delay)
    return None


def _epoch_ms(metadata: object, now: datetime | None) -> float | None:
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    reset = _number(headers.get("X-RateLimit-Reset"), 0.001) if isinstance(headers, dict) else None
    if reset is None or now is None or reset < now.timestamp():
        return None
    return reset - now.timestamp()


def _exhausted_window(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """The longest reset among the windows in which nothing remains: OpenAI's, in durations or seconds, and Anthropic's,
    in points of time."""
    resets = [
        _reset_s(headers.get(name.replace("remaining", "reset"), ""), now)
        for name, value in headers.items()
        if _WINDOW.fullmatch(name) and value.strip() in ("0", "0.0")
    ]
    return max((reset for reset in resets if reset is not None and reset < _DAY_S), default=None)


def _reset_s(text: str, now: datetime | None) -> float | None:
    if (found := _TIMESTAMP.match(text)) is None:
        return duration_s(text)
    try:
        return _until(datetime.fromisoformat(found[0]), now)
    except ValueError:
        return None
