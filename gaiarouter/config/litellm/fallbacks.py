"""LiteLLM's `fallbacks`, by the name of a model: each becomes the chain of that model's route.

There a fallback goes on with the fallbacks of the model that it names, and circles end by a count. Here a circle is a
mistake: the link that would close one names the targets instead of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gaiarouter.config.litellm.deployments import Deployment
from gaiarouter.config.litellm.report import Report
from gaiarouter.config.litellm.routes import Route, glob
from gaiarouter.config.litellm.source import list_of
from gaiarouter.config.problems import Path
from gaiarouter.routing.glob import Glob

Targets = Callable[[Sequence[Deployment]], list[dict[str, Any]]]

_KINDS: Final = (
    ("fallbacks", None),
    ("context_window_fallbacks", "context_length"),
    ("content_policy_fallbacks", "content_policy"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` falls back to each of `others`, in order; on: for this refusal only."""

    name: str
    others: tuple[str, ...]
    on: str | None
    path: Path


def rules(sections: Mapping[str, Mapping[str, Any]], report: Report) -> list[Rule]:
    """sections: the settings in which fallbacks may stand, by their names."""
    found: list[Rule] = []
    for section, settings in sections.items():
        for key, on in _KINDS:
            for index, entry in enumerate(list_of(settings.get(key))):
                found += _entry(entry, on, (section, key, index), report)
        if others := list_of(settings.get("default_fallbacks")):
            found.append(Rule("*", tuple(map(str, others)), None, (section, "default_fallbacks")))
    return found


def _entry(entry: Any, on: str | None, path: Path, report: Report) -> Iterator[Rule]:
    if not isinstance(entry, dict):
        report.left_out(path, "expected {model: [other models]}")
        return
    for name, others in entry.items():
        plain = [other for other in list_of(others) if isinstance(other, str)]
        if len(plain) < len(list_of(others)) or not isinstance(others, list):
            report.left_out(path, "a fallback is a model_name of model_list")
        yield Rule(str(name), tuple(plain), on, path)


@dataclass(slots=True)
class Chains:
    """Puts fallbacks into routes. edges: by a route's name, the routes that its chain goes on with."""

    routes: list[Route]
    targets: Targets
    report: Report
    edges: dict[str, set[str]] = field(default_factory=dict)

    def add_alias(self, alias: str, name: str, path: Path) -> None:
        route = self._route(name)
        if route is None:
            self.report.left_out(path, f"{name!r} is no model of model_list")
        elif route.is_pattern:
            self._insert(Route(alias, [replace(each, name=alias) for each in concrete(route, name)]))
        else:
            route.also.append(alias)

    def add(self, given: Sequence[Rule]) -> None:
        own = [rule for rule in given if rule.name != "*"]
        for rule in own:
            if (route := self._own_route(rule)) is None:
                self.report.left_out(rule.path, f"{rule.name!r} is no model of model_list")
            else:
                self._link(route, rule)
        named = {rule.name for rule in own if rule.on is None}
        for rule in given:
            for route in self.routes if rule.name == "*" else ():
                if route.name not in named and not named & set(route.also) and route.name not in rule.others:
                    self._link(route, rule)

    def _own_route(self, rule: Rule) -> Route | None:
        """A name that only a pattern matches gets a route of its own, since the others of the pattern stay."""
        route = self._route(rule.name)
        if route is None or not route.is_pattern or route.name == rule.name:
            return route
        made = Route(rule.name, concrete(route, rule.name))
        self._insert(made)
        return made

    def _link(self, route: Route, rule: Rule) -> None:
        for name in rule.others:
            other = self._route(name)
            if other is None:
                self.report.left_out(rule.path, f"falls back to {name!r}, which is no model of model_list")
            elif name == route.name or (other is route and not route.is_pattern):
                self.report.differs(rule.path, f"{name!r} falls back to itself: a retry does that")
            elif other is route or self._reaches(other.name, route.name):
                self._add_targets(route, concrete(other, name), rule)
            else:
                self.edges.setdefault(route.name, set()).add(other.name)
                _add_link(route, {"model": name}, rule.on)

    def _add_targets(self, route: Route, deployments: Sequence[Deployment], rule: Rule) -> None:
        written = self.targets(deployments)
        if rule.on is None and len(written) > 1:
            route.fallbacks.append(written)
            return
        for target in written:
            target.pop("weight", None)
            _add_link(route, target, rule.on)

    def _route(self, name: str) -> Route | None:
        exact = next((route for route in self.routes if name == route.name or name in route.also), None)
        matching = (route for route in self.routes if Glob(glob(route.name)).match(name) is not None)
        return exact or next(matching, None)

    def _insert(self, route: Route) -> None:
        before = next((index for index, each in enumerate(self.routes) if each.is_pattern), len(self.routes))
        self.routes.insert(before, route)

    def _reaches(self, start: str, goal: str) -> bool:
        waiting, seen = [start], {start}
        while waiting:
            here = waiting.pop()
            if here == goal:
                return True
            new = self.edges.get(here, set()) - seen
            seen |= new
            waiting += new
        return False


def concrete(route: Route, name: str) -> list[Deployment]:
    """The deployments of a pattern, for one name that it matches."""
    captures = Glob(glob(route.name)).match(name) or ()
    made: list[Deployment] = []
    for each in route.deployments:
        model = each.model
        for capture in captures:
            model = model.replace("*", capture, 1)
        made.append(replace(each, name=name, model=model))
    return made


def _add_link(route: Route, link: dict[str, Any], on: str | None) -> None:
    for known in route.fallbacks:
        if isinstance(known, dict) and "on" in known and {**known, "on": None} == {**link, "on": None}:
            if on is not None and on not in known["on"]:
                known["on"].append(on)
            return
    route.fallbacks.append(link if on is None else {**link, "on": [on]})
