"""Series that cost little to tell: what is told waits here, and reaches the library when somebody looks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram


class Count:
    """A counter's series. What is added waits here, and reaches the library when somebody looks: a lock and a look-up
    for every addition cost more than most of what is counted."""

    __slots__ = ("_added", "_series")

    def __init__(self, series: Counter) -> None:
        self._series = series
        self._added = 0.0

    def inc(self, amount: float = 1.0) -> None:
        self._added += amount

    def flush(self) -> None:
        added, self._added = self._added, 0.0
        if added:
            self._series.inc(added)


class Spread:
    """A histogram's series, likewise."""

    __slots__ = ("_bounds", "_counts", "_series", "_sum")

    def __init__(self, series: Histogram) -> None:
        self._series = series
        self._bounds: list[float] = series._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def observe_all(self, values: Collection[float]) -> None:
        for bucket, count in Tally(map(partial(bisect_left, self._bounds), values)).items():
            self._counts[bucket] += count
        self._sum += sum(values)

    def flush(self) -> None:
        counts, self._counts = self._counts, [0] * len(self._bounds)
        total, self._sum = self._sum, 0.0
        for bucket, count in zip(self._series._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        if total:
            self._series._sum.inc(total)


class Level:
    """A gauge that goes up and down, likewise."""

    __slots__ = ("_gauge", "_value")

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._value = 0

    def inc(self) -> None:
        self._value += 1

    def dec(self, amount: int = 1) -> None:
        self._value -= amount

    def flush(self) -> None:
        self._gauge.set(self._value)


S = TypeVar("S", Count, Spread)


class Family(Generic[S]):
    """A metric with labels, whose series are looked up once: what the library does at each call costs microseconds."""

    def __init__(self, metric: Counter | Histogram, kind: Callable[[Any], S]) -> None:
        self._metric = metric
        self._kind: Callable[[Any], S] = kind
        self._series: dict[tuple[str, ...], S] = {}

    def labels(self, *values: str) -> S:
        series = self._series.get(values)
        if series is None:
            made = self._metric.labels(*values) if values else self._metric
            series = self._series[values] = self._kind(made)
        return series

    def flush(self) -> None:
        for series in self._series.values():
            series.flush()
