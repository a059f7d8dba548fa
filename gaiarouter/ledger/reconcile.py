"""A provider's usage export against the ledger: where the two counts of the same tokens differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gaiarouter.ledger.export import CLASSES, Export
from gaiarouter.store.records import LostAttempt, Sums, Window
from gaiarouter.store.tables.protocols import StatisticsTable


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
