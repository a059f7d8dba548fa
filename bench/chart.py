"""Pictures of what was measured: the report's ratios, a bar for each subject in each row and lines where the goals are;
and a value over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from bench.report import FLOOR, Row

_WIDTH: Final = 760
_LEFT: Final = 300
_NUMBER: Final = 30
"""The room for a ratio, between a row's name and its bars: no line crosses it there."""
_BAR: Final = 12
_GAP: Final = 14
_MOST: Final = 3.0
"""Times the floor; longer bars are cut."""
_COLOURS: Final = ("#2563eb", "#9ca3af", "#d97706", "#7c3aed")


def svg(made: Sequence[Row], subjects: Sequence[str]) -> str:
    """Only rows that are measured against the floor. subjects: in the order of their bars, the judged one first."""
    rows = [row for row in made if row.metric.relative and FLOOR in row.medians and row.medians[FLOOR] > 0]
    shown = [name for name in subjects if name != FLOOR]
    height = 40 + len(rows) * (_BAR * len(shown) + _GAP)
    parts = [_legend(shown), _line(1.0, height, "#111827", "floor")]
    top = 40
    for row in rows:
        parts.append(_row(row, shown, top))
        top += _BAR * len(shown) + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{_WIDTH}" height="{height}" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _row(row: Row, shown: Sequence[str], top: int) -> str:
    middle = top + _BAR * len(shown) / 2 + 4
    name_at = _LEFT - _NUMBER - 8
    parts = [f'<text x="{name_at}" y="{middle:.0f}" text-anchor="end">{escape(row.metric.title)}</text>']
    for place, name in enumerate(shown):
        ratio = _ratio(row, name, first=place == 0)
        if ratio is None:
            continue
        y = top + place * _BAR
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{_x(ratio) - _LEFT:.1f}" height="{_BAR - 2}" fill="{_colour(place)}"/>'
            f'<text x="{_LEFT - 4}" y="{y + 9}" text-anchor="end">{ratio:.2f}</text>'
        )
    below = top + _BAR * len(shown)
    for goal, colour in ((row.metric.must, "#dc2626"), (row.metric.aim, "#16a34a")):
        parts.append(f'<path d="M{_x(goal):.1f} {top - 2}V{below}" stroke="{colour}" stroke-width="2"/>')
    return "".join(parts)


def _ratio(row: Row, name: str, *, first: bool) -> float | None:
    if first:
        return row.ratio
    return row.medians[name] / row.medians[FLOOR] if name in row.medians else None


def _x(ratio: float) -> float:
    return _LEFT + max(0.0, min(ratio, _MOST)) / _MOST * (_WIDTH - _LEFT - 50)


def _line(ratio: float, height: int, colour: str, name: str) -> str:
    x = _x(ratio)
    return (
        f'<path d="M{x:.1f} 30V{height}" stroke="{colour}" stroke-dasharray="3 3"/>'
        f'<text x="{x:.1f}" y="26" text-anchor="middle">{name}</text>'
    )


def _legend(shown: Sequence[str]) -> str:
    words = [*((name, _colour(place)) for place, name in enumerate(shown)), ("must", "#dc2626"), ("aim", "#16a34a")]
    return "".join(
        f'<rect x="{8 + 84 * place}" y="8" width="10" height="10" fill="{colour}"/>'
        f'<text x="{22 + 84 * place}" y="17">{escape(name)}</text>'
        for place, (name, colour) in enumerate(words)
    )


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


_CURVE_HEIGHT: Final = 240
_MARGIN: Final = 50
_STEPS: Final = 5


def curve(points: Sequence[tuple[float, float]], *, x_title: str, y_title: str) -> str:
    """A line through `points`, which are in the order of x; both axes begin at 0."""
    most_x, most_y = (_round_up(max(values)) for values in zip(*points, strict=True))

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = _WIDTH - 2 * _MARGIN, _CURVE_HEIGHT - 2 * _MARGIN
        return _MARGIN + x / most_x * across, _CURVE_HEIGHT - _MARGIN - y / most_y * up

    marks = []
    for step in range(_STEPS + 1):
        (x, bottom), (left, y) = place(most_x * step / _STEPS, 0), place(0, most_y * step / _STEPS)
        marks.append(
            f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{most_x * step / _STEPS:g}</text>'
            f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{most_y * step / _STEPS:g}</text>'
            f'<path d="M{left:.1f} {y:.1f}H{_WIDTH - _MARGIN}" stroke="#e5e7eb"/>'
        )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_CURVE_HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="{_WIDTH}" height="{_CURVE_HEIGHT}" fill="white"/>{"".join(marks)}'
        f'<polyline points="{line}" fill="none" stroke="{_COLOURS[0]}" stroke-width="1.5"/>'
        f'<text x="{_MARGIN}" y="{_MARGIN - 16}">{escape(y_title)}</text>'
        f'<text x="{_WIDTH - _MARGIN}" y="{_CURVE_HEIGHT - 16}" text-anchor="end">{escape(x_title)}</text></svg>\n'
    )


def _round_up(value: float) -> float:
    """To a number that is easy to divide in five; a fiftieth beyond it may be cut."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1
    return float(next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power * 1.02 >= value))
