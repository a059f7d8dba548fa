"""A provider's usage export against the ledger: where the two counts of the same tokens differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gaiarouter.ledger.export import CLASSES, COST, Export
from gaiarouter.store.records import LostAttempt, Sums, Window
from gaiarouter.store.tables.protocols import StatisticsTable

_NANO: Final = 1_000_000_000
_ROUNDING: Final = _NANO // 100
"""Providers round, each in their own way: that is no difference."""


@dataclass(frozen=True, slots=True)
class Difference:
    """lost: what tries without an answer may have been billed, beside what `ours` counts of answers. Of costs all are
    nano-dollars."""

    model: str
    kind: str
    theirs: int
    ours: int
    lost: int = 0

    @property
    def by(self) -> int:
        """0 also where what was lost, or a part of it, explains the rest; of costs where it is under a cent."""
        if self.kind == COST and self.ours - _ROUNDING < self.theirs < self.ours + self.lost + _ROUNDING:
            return 0
        if self.ours <= self.theirs <= self.ours + self.lost:
            return 0
        return min(self.ours + self.lost - self.theirs, 0) or self.ours - self.theirs


async def compared(export: Export, ledger: StatisticsTable, *, provider: str | None) -> Sequence[Difference]:
    """As differences, with what the ledger has of the export's days; provider narrows."""
    window = Window(*export.window_us, provider=provider)
    sums = await ledger.usage_sums(window, "model")
    return differences(export, ((str(model), each) for model, each in sums), await ledger.list_lost(window))


def differences(
    export: Export, ledger: Iterable[tuple[str, Sums]], lost: Iterable[LostAttempt] = ()
) -> Sequence[Difference]:
    """Every model and class that either counted, the largest difference first, costs before tokens. Only classes
    that the file tells of."""
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
    counted = (each for each in found if each.theirs or each.ours or each.lost)
    return sorted(counted, key=lambda each: (not each.by, each.kind != COST, -abs(each.by)))


def _ours(sums: Sums) -> Mapping[str, int]:
    tokens = sums.tokens
    return {
        "requests": sums.requests - sums.errors,
        "input": sum(tokens[name] for name in ("in_uncached", "in_cache_read", "in_cache_write", "in_tool")),
        "fresh input": tokens["in_uncached"] + tokens["in_tool"],
        "cache read": tokens["in_cache_read"],
        "cache write": tokens["in_cache_write"],
        "output": tokens["out_visible"] + tokens["out_reasoning"],
        COST: sums.cost_nano_usd,
    }


def _lost(attempt: LostAttempt) -> Mapping[str, int]:
    return {
        "requests": 1,
        "input": attempt.in_uncached + attempt.in_cache_read + attempt.in_cache_write,
        "fresh input": attempt.in_uncached,
        "cache read": attempt.in_cache_read,
        "cache write": attempt.in_cache_write,
        "output": attempt.out,
        COST: attempt.cost_nano_usd or 0,
    }


def render(export: Export, found: Sequence[Difference]) -> str:
    """A table for a person; the days first."""
    head = f"{export.first_day:%Y-%m-%d} to {export.last_day:%Y-%m-%d}, whole days in UTC"
    rows: list[tuple[str, ...]] = [("MODEL", "CLASS", "PROVIDER", "LEDGER", "MAY BE BILLED", "DIFFERENCE")]
    rows += [
        (each.model, each.kind, *(_amount(each, count) for count in (each.theirs, each.ours, each.lost)), _by(each))
        for each in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join((head, *(_line(row, widths) for row in rows)))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Names to the left, numbers to the right."""
    return "  ".join((*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:]))).rstrip()


def _amount(each: Difference, count: int) -> str:
    return f"${count / _NANO:,.4f}" if each.kind == COST else f"{count:,}"


def _by(each: Difference) -> str:
    if not each.by:
        return "none"
    share = f" ({each.by / each.theirs:+.1%})" if each.theirs else ""
    return f"{'+' if each.by > 0 else '-'}{_amount(each, abs(each.by))}{share}"
