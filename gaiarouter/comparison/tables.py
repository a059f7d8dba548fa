"""What differs between two tables: providers, routes, other settings, and where each model goes.

Providers are taken to be on in both, whatever keys this machine has: their absence here says nothing of there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, Literal

from gaiarouter.comparison.values import Change, changes
from gaiarouter.config.settings import Group, Route, Settings, Target
from gaiarouter.routing.base import ResolvedGroup
from gaiarouter.routing.table import Table

Kind = Literal["added", "removed", "changed"]

_ELSEWHERE: Final = frozenset({"providers", "routes", "fingerprint", "path"})
_OF_A_ROUTE: Final = frozenset({"name", "line", "targets", "fallbacks"})
_OF_A_PROVIDER: Final = frozenset({"off", "index"})


@dataclass(frozen=True, slots=True)
class Changed:
    """A provider or a route. changes: only of one that is in both tables."""

    name: str
    kind: Kind
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """Where a model goes. shares: of the first group that is asked without a condition, by target; None where they are
    not fixed. fallbacks: the groups after it, in words."""

    route: str
    shares: Mapping[str, float | None]
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A model that goes elsewhere. None: no route takes it."""

    model: str
    before: Way | None
    after: Way | None


@dataclass(frozen=True, slots=True)
class Difference:
    settings: tuple[Change, ...] = ()
    providers: tuple[Changed, ...] = ()
    routes: tuple[Changed, ...] = ()
    models: tuple[Rerouted, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        return not (self.settings or self.providers or self.routes or self.models)


def compare(before: Settings, after: Settings, models: Iterable[str]) -> Difference:
    """models: names to follow, beside those that stand in the tables without wildcards."""
    before, after = all_on(before), all_on(after)
    old, new = Table(before), Table(after)
    names = dict.fromkeys(chain(old.aliases(), new.aliases(), models))
    ways = ((name, way(old, name), way(new, name)) for name in names)
    return Difference(
        settings=(*changes(before, after, but=_ELSEWHERE), *_order(before, after)),
        providers=tuple(_providers(before, after)),
        routes=tuple(_routes(before, after)),
        models=tuple(Rerouted(name, was, now) for name, was, now in ways if was != now),
    )


def way(table: Table, model: str) -> Way | None:
    match = table.whole(model)
    if match is None:
        return None
    first, *rest = match.groups
    return Way(match.route.name, shares(first), tuple(_group(each) for each in rest))


def shares(group: ResolvedGroup) -> Mapping[str, float | None]:
    weights = sum(target.weight for target in group.targets)
    fixed = group.balance == "weighted" or len(group.targets) == 1
    return {target.id: target.weight / weights if fixed else None for target in group.targets}


def all_on(settings: Settings) -> Settings:
    return replace(settings, providers={name: replace(each, off=None) for name, each in settings.providers.items()})


def _group(group: ResolvedGroup) -> str:
    words = _shared({target.id: target.weight for target in group.targets})
    return words if group.on is None else f"{words} after {' or '.join(group.on) or 'nothing'}"


def _shared(weights: Mapping[str, int]) -> str:
    total = sum(weights.values())
    if len(weights) == 1:
        return next(iter(weights))
    return ", ".join(f"{name} {weight / total:.4g}" for name, weight in weights.items())


def _order(before: Settings, after: Settings) -> Iterator[Change]:
    """The first route that matches wins, so their order is a setting of its own."""
    old, new = [route.name for route in before.routes], [route.name for route in after.routes]
    was, now = [name for name in old if name in new], [name for name in new if name in old]
    if was != now:
        yield Change("order of routes", ", ".join(was), ", ".join(now))


def _providers(before: Settings, after: Settings) -> Iterator[Changed]:
    for name in dict.fromkeys((*before.providers, *after.providers)):
        old, new = before.providers.get(name), after.providers.get(name)
        if old is None or new is None:
            yield Changed(name, "added" if old is None else "removed")
        elif old != new:
            yield Changed(name, "changed", changes(old, new, but=_OF_A_PROVIDER))


def _routes(before: Settings, after: Settings) -> Iterator[Changed]:
    old, new = ({route.name: route for route in each.routes} for each in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield Changed(name, "added" if name in new else "removed")
        elif found := tuple(_route(old[name], new[name])):
            yield Changed(name, "changed", found)


def _route(before: Route, after: Route) -> Iterator[Change]:
    if before.targets != after.targets:
        yield Change("targets", _written(before.targets), _written(after.targets))
    if before.fallbacks != after.fallbacks:
        words = ("; ".join(_written(each) for each in route.fallbacks) or None for route in (before, after))
        yield Change("fallbacks", *words)
    yield from changes(before, after, but=_OF_A_ROUTE)


def _written(group: Group) -> str:
    if group.reference is not None:
        words = f"model {group.reference.model}"
    else:
        words = _shared({_target(target): target.weight for target in group.targets})
    return words if group.on is None else f"{words} after {' or '.join(group.on)}"


def _target(target: Target) -> str:
    return f"{target.provider}/{target.model or '{model}'}"
