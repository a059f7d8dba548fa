"""Panels as SVG: a number with its line, lines over time, states over time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from bench.dashboard.prometheus import Points
from bench.dashboard.units import UNITS, ticks

Named = Sequence[tuple[str, Points]]
Span = tuple[float, float]

COLOURS: Final = (
    *("#3871dc", "#e0752d", "#37872d", "#8f3bb8", "#c4162a", "#0f9da8", "#b8a000", "#e54d9b"),
    *("#6e7680", "#7eb26d", "#5f4ea2", "#a16946"),
)
NAMES: Final = {"green": "#37872d", "red": "#d1383b", "#EAB839": "#c99700"}
AXIS: Final = 62
LEGEND: Final = 34
BOTTOM: Final = 16


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def number(series: Named, defaults: dict[str, Any], span: Span, width: int, height: int) -> str:
    points = series[0][1]
    value = points[-1][1]
    steps = [step for step in defaults["thresholds"]["steps"] if step["value"] is None or value >= step["value"]]
    colour = NAMES[steps[-1]["color"]]
    most = max(point for _, point in points) or 1.0
    line = _path([(_x(at, span, 0, width + 20), 26 - 24 * point / most) for at, point in points])
    drawn = f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
    return (
        f'<div class="big" style="color:{colour}">{escape(UNITS[defaults["unit"]](value))}</div>'
        f'<svg style="position:absolute;left:0;bottom:0" width="{width + 20}" height="28">{drawn}</svg>'
    )


def lines(series: Named, defaults: dict[str, Any], span: Span, width: int, height: int) -> str:
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    shown = _stacked(series) if stacked else [(name, points, None) for name, points in series]
    steps = ticks(max((value for _, points, _ in shown for _, value in points), default=0.0))
    bottom = height - LEGEND - BOTTOM

    def y(value: float) -> float:
        return bottom - (bottom - 6) * value / steps[-1]

    parts = [_grid(steps, defaults, y, width), _times(span, width, bottom)]
    for place, (_, points, below) in reversed(list(enumerate(shown))):
        top = [(_x(at, span, AXIS, width), y(value)) for at, value in points]
        floor = [(_x(at, span, AXIS, width), y(value)) for at, value in (below or [])]
        if below is not None:
            parts.append(f'<path d="{_path(top + floor[::-1])}Z" fill="{_colour(place)}" opacity=".4"/>')
        parts.append(f'<path d="{_path(top)}" fill="none" stroke="{_colour(place)}" stroke-width="1.3"/>')
    if defaults["custom"]["thresholdsStyle"]["mode"] == "line":
        parts += [_threshold(step, y, width) for step in defaults["thresholds"]["steps"] if step["value"] is not None]
    names = [(name, _colour(place)) for place, (name, _) in enumerate(series)]
    return f'<svg width="{width}" height="{height - LEGEND + 4}">{"".join(parts)}</svg>{_legend(names)}'


def states(series: Named, defaults: dict[str, Any], span: Span, width: int, height: int) -> str:
    meanings = defaults["mappings"][0]["options"]
    bottom = height - LEGEND - BOTTOM
    band = min(34.0, (bottom - 4) / max(1, len(series)))
    parts = [_times(span, width, bottom, left=110)]
    for place, (name, points) in enumerate(series):
        top = 4 + place * band
        parts.append(f'<text x="104" y="{top + band / 2 + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        for begin, end, value in _runs(points, span[1]):
            left, right = _x(begin, span, 110, width), _x(end, span, 110, width)
            colour = NAMES[meanings[f"{value:g}"]["color"]]
            parts.append(
                f'<rect x="{left:.1f}" y="{top + 2:.1f}" width="{max(0.5, right - left):.1f}" height="{band - 5:.1f}" '
                f'fill="{colour}" opacity=".75"/>'
            )
    names = [(each["text"], NAMES[each["color"]]) for each in meanings.values()]
    return f'<svg width="{width}" height="{height - LEGEND + 4}">{"".join(parts)}</svg>{_legend(names)}'


def _runs(points: Points, end: float) -> list[tuple[float, float, float]]:
    """Spans of the same value."""
    runs: list[tuple[float, float, float]] = []
    for number, (at, value) in enumerate(points):
        until = points[number + 1][0] if number + 1 < len(points) else end
        if runs and runs[-1][2] == value:
            runs[-1] = (runs[-1][0], until, value)
        else:
            runs.append((at, until, value))
    return runs


def _stacked(series: Named) -> list[tuple[str, Points, Points | None]]:
    """Each with what it stands on."""
    times = sorted({at for _, points in series for at, _ in points})
    below = [(at, 0.0) for at in times]
    made: list[tuple[str, Points, Points | None]] = []
    for name, points in series:
        values = dict(points)
        top = [(at, value + values.get(at, 0.0)) for at, value in below]
        made.append((name, top, below))
        below = top
    return made


def _x(at: float, span: Span, left: int, right: int) -> float:
    return left + (right - left) * (at - span[0]) / (span[1] - span[0])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def _grid(steps: Sequence[float], defaults: dict[str, Any], y: Any, width: int) -> str:
    show = UNITS[defaults["unit"]]
    return "".join(
        f'<path d="M{AXIS} {y(step):.1f}H{width}" stroke="#e4e6ea"/>'
        f'<text x="{AXIS - 6}" y="{y(step) + 4:.1f}" text-anchor="end" font-size="10">{escape(show(step))}</text>'
        for step in steps
    )


def _times(span: Span, width: int, bottom: int, *, left: int = AXIS) -> str:
    """Minutes since the beginning."""
    minutes = (span[1] - span[0]) / 60
    step = next(each for each in (1, 2, 5, 10, 30, 60) if minutes / each * 42 <= width - left or each == 60)
    return "".join(
        f'<text x="{_x(span[0] + 60 * minute, span, left, width):.1f}" y="{bottom + 13}" text-anchor="middle" '
        f'font-size="10" fill="#6e7680">{minute} min</text>'
        for minute in range(step, int(minutes) + 1, step)
        if minute < minutes - 0.3
    )


def _threshold(step: dict[str, Any], y: Any, width: int) -> str:
    height = y(step["value"])
    return (
        f'<path d="M{AXIS} {height:.1f}H{width}" stroke="{NAMES[step["color"]]}" stroke-dasharray="5 4"/>'
        if height > 0
        else ""
    )


def _legend(names: Sequence[tuple[str, str]]) -> str:
    return (
        '<div class="legend">'
        + "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in names)
        + "</div>"
    )
