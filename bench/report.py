"""Medians over the rounds, ratios to the floor, and what the goals say of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

Rounds = Mapping[str, Mapping[str, Sequence[float]]]
"""subject -> metric -> its values, one a round; values at the same place were measured one after the other."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. `must` and `aim` bound the ratio to the floor, or the value itself where `relative` is False."""

    key: str
    title: str
    must: float
    aim: float
    relative: bool = True
    digits: int = 0


METRICS: Final = (
    Metric("request_small", "request, 300 B prompt, µs CPU", 1.3, 0.6),
    Metric("request_large", "request, 100 KB prompt, µs CPU", 1.3, 0.8),
    Metric("chunk_paced", "chunk, 100 streams at 100/s, µs CPU", 1.15, 0.65, digits=1),
    Metric("chunk_burst", "chunk, in bursts, µs CPU", 2.0, 1.1, digits=1),
    Metric("request_claude", "request, translated to Claude, µs CPU", 1.6, 0.8),
    Metric("request_gemini", "request, translated to Gemini, µs CPU", 1.6, 0.8),
    Metric("chunk_claude", "chunk, in bursts, of Claude to Chat, µs CPU", 3.0, 1.6, digits=1),
    Metric("chunk_gemini", "chunk, in bursts, of Gemini to Chat, µs CPU", 3.0, 1.6, digits=1),
    Metric("latency_p50", "added latency p50 at 50/s, µs", 1.3, 0.7),
    Metric("latency_p99", "added latency p99 at 50/s, µs", 1.3, 0.7),
    Metric("stream_memory", "memory of an open stream, KB", 32, 20, relative=False, digits=1),
    Metric("left_open", "upstream streams open 1 s after callers left", 0, 0, relative=False),
    Metric("crowd_memory", "memory of an open stream, 10,000 open, KB", 32, 20, relative=False, digits=1),
    Metric("crowd_left_open", "of those, open upstream 10 s after callers left", 0, 0, relative=False),
    Metric("idle_memory", "idle memory, MB", 90, 60, relative=False),
    Metric("start", "start to first answer, s", 1.5, 0.7, relative=False, digits=2),
)

GROWTH: Final = (
    Metric("grown_routes", "request, 1,000 routes to 10, µs CPU", 1.15, 1.05),
    Metric("grown_keys", "request, 100,000 keys to 1, µs CPU", 1.15, 1.05),
    Metric("grown_streams", "request beside 10,000 open streams to beside none, µs CPU", 1.15, 1.05),
    Metric("grown_workers", "request, two workers to one, µs CPU", 1.11, 1.03),
)
"""Each in front of the same upstream as a gateway of ten routes, one key and one worker, which is the floor here. Two
workers that cost no more for a request than one serve twice as many where there is a CPU for each."""

FLOOR: Final = "floor"
JUDGED: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Row:
    """medians: by subject. ratio: of the judged subject to the floor, None where it means nothing."""

    metric: Metric
    medians: Mapping[str, float]
    ratio: float | None
    verdict: str


def median_ratio(values: Sequence[float], floor: Sequence[float]) -> float | None:
    """The median of the ratios round by round, so that a slow minute of the machine weighs on both sides.

    None when the floor is not above zero in most rounds (added latency on a busy machine).
    """
    ratios = [value / base for value, base in zip(values, floor, strict=True) if base > 0]
    return statistics.median(ratios) if len(ratios) * 2 > len(floor) else None


def verdict(metric: Metric, value: float | None) -> str:
    if value is None:
        return "-"
    return "aim" if value <= metric.aim else "must" if value <= metric.must else "MISSED"


def rows(rounds: Rounds, metrics: Iterable[Metric] = METRICS, judged: str = JUDGED) -> list[Row]:
    made = []
    for metric in metrics:
        values = {subject: found[metric.key] for subject, found in rounds.items() if found.get(metric.key)}
        if not values:
            continue
        medians = {subject: statistics.median(each) for subject, each in values.items()}
        both = judged in values and FLOOR in values
        ratio = median_ratio(values[judged], values[FLOOR]) if both else None
        measured = ratio if metric.relative else medians.get(judged)
        made.append(Row(metric, medians, ratio, verdict(metric, measured)))
    return made


def table(made: Sequence[Row], subjects: Sequence[str]) -> str:
    """The rows as a Markdown table, fit for a commit's message."""
    head = ("", *subjects, "ratio", "must", "aim", "verdict")
    lines = [head, *(_cells(row, subjects) for row in made)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    ruler = tuple("-" * width for width in widths)
    return "\n".join("| " + " | ".join(map(_pad, line, widths)) + " |" for line in (head, ruler, *lines[1:]))


def _pad(text: str, width: int) -> str:
    return text.ljust(width)


def _cells(row: Row, subjects: Sequence[str]) -> tuple[str, ...]:
    metric = row.metric
    unit = "x" if metric.relative else ""
    return (
        metric.title,
        *(f"{row.medians[name]:,.{metric.digits}f}" if name in row.medians else "-" for name in subjects),
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        f"{metric.must:g}{unit}",
        f"{metric.aim:g}{unit}",
        row.verdict,
    )


def as_json(made: Sequence[Row], rounds: Rounds) -> dict[str, Any]:
    return {"rows": [asdict(row) for row in made], "rounds": rounds}
