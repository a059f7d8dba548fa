"""What nearly every request tells: its first target has answered, in what time, and what was used.

A request adds one row, which costs it a tenth of adding to a dozen series. The rows of requests that add to the same
series are added up together, when somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, Protocol

from gaiarouter.canonical.usage import Usage
from gaiarouter.telemetry.catalogue import NONE
from gaiarouter.telemetry.series import Count, Family, Spread

AT_ONCE: Final = 250
"""Rows of one kind are added up then even if nobody looks: they must not fill the memory."""

Kind = tuple[str, str, str, bool]
"""Route, provider, model, and whether the answer was streamed."""
_Row = tuple[int, float, float, Usage | None, int | None]
"""As the arguments of `add`."""

_CLASSES: Final = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
_counts = attrgetter(*_CLASSES, "estimated", "rejected")


class Series(Protocol):
    """What of Metrics is told here."""

    requests: Family[Count]
    duration: Family[Spread]
    first_content: Family[Spread]
    overhead: Spread
    attempts: Family[Count]
    tokens: Family[Count]
    cost: Family[Count]
    unpriced: Family[Count]
    usage_estimated: Family[Count]
    usage_rejected: Family[Count]


class Answers:
    def __init__(self, series: Series) -> None:
        self._series = series
        self._rows: dict[Kind, list[_Row]] = {}

    def add(
        self,
        kind: Kind,
        duration_us: int,
        first_content_s: float,
        overhead_s: float,
        usage: Usage | None,
        cost_nano: int | None,
    ) -> None:
        """first_content_s: since the target was asked. cost_nano: of `usage`; None is unpriced."""
        rows = self._rows.get(kind)
        if rows is None:
            rows = self._rows[kind] = []
        rows.append((duration_us, first_content_s, overhead_s, usage, cost_nano))
        if len(rows) >= AT_ONCE:
            self._add_up(kind, rows)

    def flush(self) -> None:
        for kind, rows in self._rows.items():
            if rows:
                self._add_up(kind, rows)

    def _add_up(self, kind: Kind, rows: list[_Row]) -> None:
        series, (route, provider, model, streamed) = self._series, kind
        series.requests.labels(route, model, "2xx", "ok").inc(len(rows))
        series.attempts.labels(provider, "ok").inc(len(rows))
        durations, first_contents, overheads, usages, costs = zip(*rows, strict=True)
        rows.clear()
        series.duration.labels(route, "true" if streamed else "false").observe_all([us / 1e6 for us in durations])
        series.first_content.labels(provider).observe_all(first_contents)
        series.overhead.observe_all([max(0.0, seconds) for seconds in overheads])
        self.used(provider, model, usages, costs)

    def used(self, provider: str, model: str, usages: Sequence[Usage | None], costs: Sequence[int | None]) -> None:
        """A usage and its cost for each request; where there is no usage there is no cost."""
        told = [usage for usage in usages if usage is not None]
        if not told:
            return
        series = self._series
        priced = [cost for cost in costs if cost is not None]
        if priced:
            series.cost.labels(provider, model).inc(sum(priced) / 1e9)
        if len(priced) < len(told) and provider is not NONE:
            unpriced = sum(map(_lacks_price, usages, costs))
            if unpriced:
                series.unpriced.labels(provider, model).inc(unpriced)
        *tokens, estimated, rejected = map(sum, zip(*map(_counts, told), strict=True))
        for name, count in zip(_CLASSES, tokens, strict=True):
            if count:
                series.tokens.labels(provider, model, name).inc(count)
        if estimated:
            series.usage_estimated.labels(provider).inc(estimated)
        if rejected:
            for usage in told:
                if usage.rejected:
                    series.usage_rejected.labels(provider, "whole" if usage.estimated else "part").inc()


def _lacks_price(usage: Usage | None, cost_nano: int | None) -> bool:
    return cost_nano is None and usage is not None and bool(usage.total_tokens or usage.units)
