"""Durations counted in buckets, so that hours can be added up. Quantiles read from them are approximate: right within
the bucket that they fall into, by straight line between its bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

BOUNDS_MS: Final = (25, 50, 100, 200, 350, 500, 750, 1_000, 1_500, 2_500, 5_000, 10_000, 20_000, 60_000, 180_000)
"""Upper bounds, inclusive; the last bucket is what took longer."""
BUCKETS: Final = len(BOUNDS_MS) + 1


bucket_of: Final[Callable[[int], int]] = partial(bisect_left, [1000 * bound for bound in BOUNDS_MS])
"""Of a duration in microseconds."""


def quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """None of nothing. What took longer than the last bound is told as that bound."""
    total = sum(counts)
    if not total:
        return None
    wanted, below = share * total, 0
    for index, count in enumerate(counts[:-1]):
        if count and below + count >= wanted:
            low = BOUNDS_MS[index - 1] if index else 0
            return round(low + (BOUNDS_MS[index] - low) * (wanted - below) / count, 1)
        below += count
    return float(BOUNDS_MS[-1])
