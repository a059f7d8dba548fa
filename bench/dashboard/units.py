"""Numbers as Grafana's units show them, and round steps for an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final


def _short(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def _seconds(value: float) -> str:
    if value >= 60:
        return f"{value / 60:.3g} min"
    if value >= 1:
        return f"{value:.3g} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 or value == 0 else f"{value * 1e6:.3g} µs"


def _bytes(value: float) -> str:
    for size, letters in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letters}"
    return f"{value:.0f} B"


UNITS: Final[dict[str, Callable[[float], str]]] = {
    "short": _short,
    "none": lambda value: f"{value:g}",
    "reqps": lambda value: f"{_short(value)} req/s",
    "percentunit": lambda value: f"{value * 100:.3g} %",
    "s": _seconds,
    "decbytes": _bytes,
    "currencyUSD": lambda value: f"${_short(value)}",
}
"""By Grafana's id."""


def ticks(most: float) -> list[float]:
    """From 0 to `most` or a little more, in at most five round steps."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    return [step * number for number in range(math.ceil(most / step) + 1)]
