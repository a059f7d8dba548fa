"""Which model names a table serves: its aliases, and its globs expanded over the models that providers have.

The names are those a caller would send. For `match: "anthropic/*"` with `model: "{1}"` the provider's `claude-x` is
listed as `anthropic/claude-x`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gaiarouter.config.settings import Route, Settings, Target
from gaiarouter.routing.base import Match
from gaiarouter.routing.table import Table

_GLOB = frozenset("*?[")


def list_models(table: Table, settings: Settings, known: Mapping[str, Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """(name, owner) in the order of the routes, each name once; owner is the provider of the first target.

    known: the models of each configured provider, by its name. A route without a target that is on lists nothing.
    """
    names: dict[str, str] = {}
    for route in settings.routes:
        for name in _candidates(route, known):
            match = table.match(name)
            if name not in names and match is not None and match.route is route and _serves(match):
                names[name] = next(target.provider for group in match.groups for target in group.targets)
    return tuple(names.items())


def _candidates(route: Route, known: Mapping[str, Sequence[str]]) -> Iterable[str]:
    for glob in route.match:
        if not _GLOB & set(glob):
            yield glob
            continue
        for target in route.targets.targets:
            for model in sorted(known.get(target.provider, ())):
                name = _name_for(glob, target, model)
                if name is not None:
                    yield name


def _name_for(glob: str, target: Target, model: str) -> str | None:
    """The name a caller sends so that `target` is asked for `model`; None if no name does."""
    template = target.model or "{model}"
    for placeholder in ("{model}", "{1}"):
        before, found, after = template.partition(placeholder)
        if not found or "{" in after:
            continue
        if not (model.startswith(before) and model.endswith(after) and len(model) > len(before) + len(after)):
            return None
        middle = model[len(before) : len(model) - len(after)]
        if placeholder == "{model}":
            return middle
        return glob.replace("*", middle) if glob.count("*") == 1 else None
    return None


def _serves(match: Match) -> bool:
    return any(group.targets for group in match.groups)
