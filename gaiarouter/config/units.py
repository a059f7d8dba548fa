"""Durations, sizes, rates and shares as text, and how many CPUs `auto` is.

A number without its unit is refused, never guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from gaiarouter.config.settings import Rate

_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_COUNTS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}

_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([A-Za-z]*)(?:/([a-z]+))?")


def parse_duration(text: str) -> float:
    """`250ms`, `5s`, `15m`, `1h`, `2d` in seconds. Raises ValueError."""
    number, unit = _split(text)
    return round(number * _factor(_DURATIONS, unit), 6)


def parse_size(text: str) -> int:
    """`32MB`, `64KiB` in bytes. Raises ValueError."""
    number, unit = _split(text)
    return round(number * _factor(_SIZES, unit))


def parse_rate(text: str) -> Rate:
    """`600/min`, `1M/min`, `10/s`, `50k/day`. Raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[3] is None:
        raise ValueError(text)
    amount = round(float(found[1]) * _factor(_COUNTS, found[2]))
    return Rate(amount, _factor(_PERIODS, found[3]))


def format_rate(rate: Rate) -> str:
    """As parse_rate reads it."""
    period = next((name for name, seconds in _PERIODS.items() if seconds == rate.per_s), f"{_digits(rate.per_s)}s")
    return f"{rate.amount}/{period}"


def parse_share(text: str) -> float:
    """`20%` as 0.2. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?%", text) or float(text[:-1]) > 100:
        raise ValueError(text)
    return float(text[:-1]) / 100


def cpu_count() -> int:
    """The CPUs this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spelling(unit: str, number: float) -> str:
    """How a bare number is most likely meant, for an error that shows it: (`duration`, 5) is `5s`."""
    match unit:
        case "duration":
            return f"{_digits(number)}s"
        case "size" if number and number % 1_000_000 == 0:
            return f"{_digits(number / 1_000_000)}MB"
        case "size":
            return f"{_digits(round(number))}B"
        case "share":
            return f"{_digits(number * 100 if number < 1 else number)}%"
        case _:
            return f"{_digits(round(number))}/min"


def _digits(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _split(text: str) -> tuple[float, str]:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[3] is not None:
        raise ValueError(text)
    return float(found[1]), found[2]


def _factor(units: Mapping[str, float], unit: str) -> float:
    if unit not in units:
        raise ValueError(unit)
    return units[unit]
