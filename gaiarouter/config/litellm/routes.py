"""Deployments of one name become a route; LiteLLM's fallbacks become its chain.

LiteLLM looks for the exact name first and then for the closest pattern. Here the first route that matches wins: so
exact names stand before patterns, and longer patterns before shorter ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import gcd
from typing import Any, Final

from gaiarouter.config.litellm.deployments import Deployment, Endpoint
from gaiarouter.config.litellm.report import Report
from gaiarouter.config.litellm.source import duration_of

_MOST: Final = 1_000_000
_BALANCES: Final[Mapping[str, str]] = {
    "least-busy": "least_busy",
    "latency-based-routing": "least_latency",
    "cost-based-routing": "cheapest",
}


@dataclass(slots=True)
class Route:
    """One name of LiteLLM's: `deployments` share it. also: other names for it."""

    name: str
    deployments: list[Deployment]
    also: list[str] = field(default_factory=list)
    fallbacks: list[dict[str, Any] | list[dict[str, Any]]] = field(default_factory=list)

    @property
    def is_pattern(self) -> bool:
        return "*" in self.name


def group(deployments: Sequence[Deployment]) -> list[Route]:
    """In the order in which they must stand."""
    groups: dict[str, list[Deployment]] = {}
    for each in deployments:
        groups.setdefault(each.name, []).append(each)
    routes = [Route(name, own) for name, own in groups.items()]
    names = [route for route in routes if not route.is_pattern]
    patterns = [route for route in routes if route.is_pattern]
    return [*names, *sorted(patterns, key=lambda route: -len(route.name.replace("*", "")))]


def glob(name: str) -> str:
    """A name of LiteLLM's, in which only `*` means more than itself."""
    return name.replace("[", "[[]").replace("?", "[?]")


def write(route: Route, names: Mapping[Endpoint, str], strategy: str | None, report: Report) -> dict[str, Any]:
    groups = list(_by_order(route.deployments))
    match = [glob(name) for name in (route.name, *route.also)]
    written: dict[str, Any] = {"match": match[0] if len(match) == 1 else match}
    if strategy is not None and strategy in _BALANCES and len(groups[0]) > 1:
        written["balance"] = _BALANCES[strategy]
    written["targets"] = targets(groups[0], names, report)
    if chain := [*(targets(own, names, report) for own in groups[1:]), *route.fallbacks]:
        written["fallbacks"] = [link[0] if isinstance(link, list) and len(link) == 1 else link for link in chain]
    if edits := _edits(route, report):
        written["transform"] = edits
    times = [each.timeout for each in route.deployments if each.timeout]
    if times:
        if len(set(times)) > 1:
            report.differs(route.deployments[0].path, "its deployments wait for different times: the longest was taken")
        written["timeouts"] = {"first_byte": duration_of(max(times))}
    return written


def _by_order(deployments: Sequence[Deployment]) -> Iterator[list[Deployment]]:
    """LiteLLM takes those of the lowest `order`, and the next ones when they fail."""
    for order in sorted({each.order for each in deployments}):
        yield [each for each in deployments if each.order == order]


def targets(deployments: Sequence[Deployment], names: Mapping[Endpoint, str], report: Report) -> list[dict[str, Any]]:
    """Two deployments that are the same here become one target."""
    have_weights = any(each.weight for each in deployments)
    shares: dict[tuple[str, str], float] = {}
    for each in deployments:
        if have_weights and not each.weight:
            report.differs(each.path, "LiteLLM never chose it, beside others that have a weight: here it has the least")
        target = (names[each.endpoint], _model(each, report))
        shares[target] = shares.get(target, 0) + (each.weight or (0 if have_weights else 1))
    written = [{"provider": provider, "model": model} for provider, model in shares]
    weights = _weights(list(shares.values()))
    if len(set(weights)) == 1:
        return [dict(target) for target in written]
    return [{**target, "weight": weight} for target, weight in zip(written, weights, strict=True)]


def _weights(given: Sequence[float]) -> list[int]:
    """Whole numbers in the same proportion, the smallest that there are, within what a weight may be."""
    scale = 1000 if any(weight != int(weight) for weight in given) else 1
    whole = [max(round(weight * scale), 1) for weight in given]
    divisor = reduce(gcd, whole)
    most = max(whole) / divisor
    return [max(round(weight / divisor / max(most / _MOST, 1)), 1) for weight in whole]


def _model(each: Deployment, report: Report) -> str:
    if not each.model:
        return "{model}"
    stars = each.model.count("*")
    if stars > each.name.count("*"):
        report.differs(each.path, "more `*` in the provider's name than in the model's: `{model}` was taken")
        return "{model}"
    model = each.model
    for number in range(1, stars + 1):
        model = model.replace("*", f"{{{number}}}", 1)
    return model


def _edits(route: Route, report: Report) -> dict[str, Any]:
    first, *others = route.deployments
    edits: dict[str, Any] = {}
    for edit, values in (
        ("default", [each.default for each in route.deployments]),
        ("set", [each.always for each in route.deployments]),
        ("drop", [[name for name in each.drop if name.isidentifier()] for each in route.deployments]),
    ):
        if any(value != values[0] for value in values[1:]):
            report.left_out(first.path, f"its deployments set fields differently, and `transform.{edit}` is a route's")
        elif values[0]:
            edits[edit] = values[0]
    for each in (first, *others):
        for odd in (name for name in each.drop if not name.isidentifier()):
            report.left_out(
                (*each.path, "litellm_params", "additional_drop_params"), f"{odd}: whole fields are dropped"
            )
    return edits
