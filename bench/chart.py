"""The report's ratios as a picture: a bar for each subject in each row, and lines where the goals are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from bench.report import FLOOR, Row

_WIDTH: Final = 760
_LEFT: Final = 300
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
    parts = [f'<text x="{_LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(row.metric.title)}</text>']
    for place, name in enumerate(shown):
        ratio = _ratio(row, name, first=place == 0)
        if ratio is None:
            continue
        y = top + place * _BAR
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{_x(ratio) - _LEFT:.1f}" height="{_BAR - 2}" fill="{_colour(place)}"/>'
            f'<text x="{_x(ratio) + 4:.1f}" y="{y + 9}">{ratio:.2f}</text>'
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
