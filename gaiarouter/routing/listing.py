"""Which model names a table serves: its aliases, and its globs expanded over the models that providers have.

The names are those a caller would send. For `match: "anthropic/*"` with `model: "{1}"` the provider's `claude-x` is
listed as `anthropic/claude-x`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gaiarouter.config.settings import Route, Settings, Target
from gaiarouter.dialects.base import ListedModel
from gaiarouter.routing.table import Table

_GLOB = frozenset("*?[")


Known = Mapping[str, Mapping[str, int | None]]
"""The models of each configured provider, by its name, with their context length in tokens."""


def list_models(table: Table, settings: Settings, known: Known) -> tuple[ListedModel, ...]:
    """In the order of the routes, each name once. A route without a target that is on lists nothing."""
    listed: dict[str, ListedModel] = {}
    for route in settings.routes:
        for name in _candidates(route, known):
            match = table.match(name)
            if name not in listed and match is not None and match.route is route:
                first = next((target for group in match.groups for target in group.targets), None)
                if first is not None:
                    context = known.get(first.provider, {}).get(first.model)
                    listed[name] = ListedModel(name, first.provider, context)
    return tuple(listed.values())


def _candidates(route: Route, known: Known) -> Iterable[str]:
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
