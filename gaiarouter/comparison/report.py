"""What differs, for a person at a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from gaiarouter.comparison.tables import Changed, Difference, Rerouted, Way
from gaiarouter.comparison.traffic import ModelTraffic, Traffic
from gaiarouter.comparison.values import Change

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_MODELS_SHOWN: Final = 10
_NONE: Final = "none"


def as_json(difference: Difference, traffic: Traffic | None) -> str:
    told = {**asdict(difference), "traffic": None if traffic is None else asdict(traffic)}
    return json.dumps(told, indent=2, ensure_ascii=False)


def render_text(difference: Difference, traffic: Traffic | None) -> str:
    lines = [*_sections(difference), *(_usage(traffic) if traffic is not None else ())]
    return "\n".join("".join(char if char.isprintable() else "�" for char in line) for line in lines)


def _sections(it: Difference) -> Iterator[str]:
    if it.is_empty:
        yield "Nothing differs."
    if it.providers:
        yield "providers"
        yield from _changed(it.providers)
    if it.routes:
        yield "routes"
        yield from _changed(it.routes)
    if it.settings:
        yield "settings"
        yield from (f"  ~ {_change(each)}" for each in it.settings)
    if it.models:
        yield "models"
        for each in it.models[:_MODELS_SHOWN]:
            yield from _rerouted(each)
        if len(it.models) > _MODELS_SHOWN:
            yield f"  and {len(it.models) - _MODELS_SHOWN} more"


def _changed(things: tuple[Changed, ...]) -> Iterator[str]:
    for each in things:
        yield f"  {_SIGNS[each.kind]} {each.name}"
        yield from (f"      {_change(change)}" for change in each.changes)


def _change(change: Change) -> str:
    return f"{change.what}: {change.before or _NONE} -> {change.after or _NONE}"


def _rerouted(it: Rerouted) -> Iterator[str]:
    yield f"  ~ {it.model}"
    yield f"      {_way(it.before)}"
    yield f"   -> {_way(it.after)}"


def _way(way: Way | None) -> str:
    if way is None:
        return "no route"
    targets = ", ".join(name if share is None else f"{name} {100 * share:.4g} %" for name, share in way.shares.items())
    then = "".join(f"; then {each}" for each in way.fallbacks)
    return f"{targets}{then}   (route {way.route})"


def _usage(it: Traffic) -> Iterator[str]:
    yield "usage of the last day"
    if not it.requests:
        yield "  no requests"
        return
    yield f"  {it.requests} requests, {it.elsewhere:.1%} of them would have gone elsewhere"
    if it.unknown:
        yield f"  of {it.unknown} nobody can say: their targets share by load or latency"
    yield f"  {_dollars(it.cost_before)} -> {_dollars(it.cost_after)}{_unpriced(it.unpriced)}"
    yield from (f"    {_model(each)}" for each in it.models[:_MODELS_SHOWN])


def _unpriced(requests: int) -> str:
    return f", without {requests} requests that are unpriced" if requests else ""


def _model(it: ModelTraffic) -> str:
    elsewhere = "share unknown" if it.elsewhere is None else f"{it.elsewhere:.1%} elsewhere"
    return f"{it.model}: {it.requests} requests, {elsewhere}, {_dollars(it.cost_before)} -> {_dollars(it.cost_after)}"


def _dollars(nano: int | None) -> str:
    return "unpriced" if nano is None else f"${nano / 1e9:,.4f}"
