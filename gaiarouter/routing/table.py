"""The routing table: from the model name that a caller sent to the route that serves it and its chain of targets.

The first route that matches wins. What a match costs does not grow with the number of routes: names without wildcards
are looked up, and a glob is only tried on names that begin as it does.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from gaiarouter.config.settings import FallbackCondition, Group, Route, Settings, Target
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.glob import Glob

_CACHED_NAMES: Final = 1024
_CACHED_CHARACTERS: Final = 256
_NEAR: Final = 3
_NEAR_CANDIDATES: Final = 32
_NEAR_CHARACTERS: Final = 64

_PLACEHOLDER: Final = re.compile(r"\{(model|[1-9][0-9]?)\}")

On = tuple[FallbackCondition, ...] | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One glob of one route. position: its place in the file; the lower one wins."""

    position: int
    glob: Glob
    route: Route


class Table:
    """The routes of one configuration, compiled. Answers are the same for the table's whole life."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._on = frozenset(name for name, provider in settings.providers.items() if provider.off is None)
        self._exact: dict[str, _Entry] = {}
        self._by_prefix: dict[str, list[_Entry]] = {}
        globs = ((text, route) for route in settings.routes for text in route.match)
        for position, (text, route) in enumerate(globs):
            self._add(_Entry(position, Glob(text), route))
        self._prefix_lengths = sorted({len(prefix) for prefix in self._by_prefix})
        self._aliases = tuple(name for name in self._exact if self._is_alias(name))
        self._cache: dict[str, Match | None] = {}

    def match(self, model: str) -> Match | None:
        """The first route that matches, with its chain; targets whose provider is off are left out."""
        if model in self._cache:
            return self._cache[model]
        whole = self.whole(model)
        found = whole and replace(whole, groups=self._without_off(whole.groups))
        if len(model) <= _CACHED_CHARACTERS:
            if len(self._cache) >= _CACHED_NAMES:
                del self._cache[next(iter(self._cache))]
            self._cache[model] = found
        return found

    def whole(self, model: str) -> Match | None:
        """As `match`, but with the targets that are off: what the file says, for `explain`."""
        found = self._find(model)
        if found is None:
            return None
        entry, captures = found
        groups = tuple(self._chain(entry.route, (model, *captures), None, {(model, None)}))
        return Match(route=entry.route, model=model, glob=entry.glob.text, captures=captures, groups=groups)

    def near(self, model: str, allowed: Callable[[str], bool]) -> list[str]:
        """At most three names that look like `model` and that `allowed` lets through, the nearest first."""
        asked = model[:_NEAR_CHARACTERS]
        names = [name for name in self._aliases if allowed(name)]
        # comparing is dear, so only those that share the most characters are compared
        candidates = heapq.nlargest(_NEAR_CANDIDATES, names, key=lambda name: len(set(asked) & set(name)))
        by_folded = {name.casefold()[:_NEAR_CHARACTERS]: name for name in reversed(candidates)}
        return [by_folded[folded] for folded in difflib.get_close_matches(asked.casefold(), by_folded, n=_NEAR)]

    def aliases(self) -> tuple[str, ...]:
        """The names that stand in the table without wildcards and reach their own route, in the order of the file."""
        return self._aliases

    def globs(self) -> tuple[str, ...]:
        """Those with wildcards, in the order of the file."""
        entries = sorted((e for group in self._by_prefix.values() for e in group), key=lambda entry: entry.position)
        return tuple(entry.glob.text for entry in entries)

    def _is_alias(self, name: str) -> bool:
        found = self._find(name)
        return found is not None and found[0].glob.is_literal

    def _add(self, entry: _Entry) -> None:
        if entry.glob.is_literal:
            self._exact.setdefault(entry.glob.text, entry)
        else:
            self._by_prefix.setdefault(entry.glob.prefix, []).append(entry)

    def _find(self, model: str) -> tuple[_Entry, tuple[str, ...]] | None:
        candidates = [entry] if (entry := self._exact.get(model)) else []
        for length in self._prefix_lengths:
            if length > len(model):
                break
            candidates += self._by_prefix.get(model[:length], ())
        for entry in sorted(candidates, key=lambda entry: entry.position):
            captures = entry.glob.match(model)
            if captures is not None:
                return entry, captures
        return None

    def _chain(
        self, route: Route, words: tuple[str, ...], on: On, seen: set[tuple[str, On]]
    ) -> Iterator[ResolvedGroup]:
        """The route's groups with the chains of other routes that they refer to put in their place.

        words: the model name, then the captures. seen: what is in the chain already; nothing comes twice, so that no
        table, however it came about, makes a chain without end.
        """
        yield replace(_resolved(route.targets, route, words, on), balance=route.balance)
        for group in route.fallbacks:
            reached_on = _both(on, group.on)
            if group.reference is None:
                yield _resolved(group, route, words, reached_on)
            elif found := self._find(group.reference.model):
                entry, captures = found
                model = group.reference.model
                if (model, reached_on) not in seen:
                    seen.add((model, reached_on))
                    yield from self._chain(entry.route, (model, *captures), reached_on, seen)

    def _without_off(self, groups: tuple[ResolvedGroup, ...]) -> tuple[ResolvedGroup, ...]:
        own, *fallbacks = (
            group
            if self._on.issuperset(target.provider for target in group.targets)
            else replace(group, targets=tuple(target for target in group.targets if target.provider in self._on))
            for group in groups
        )
        return (own, *(group for group in fallbacks if group.targets))


def _both(outer: On, inner: On) -> On:
    """The conditions that pass both; an empty tuple is reached by none."""
    if outer is None or inner is None:
        return inner if outer is None else outer
    return tuple(condition for condition in inner if condition in outer)


def _resolved(group: Group, route: Route, words: tuple[str, ...], on: On) -> ResolvedGroup:
    return ResolvedGroup(tuple(_resolved_target(target, route, words) for target in group.targets), on)


def _resolved_target(target: Target, route: Route, words: tuple[str, ...]) -> ResolvedTarget:
    model = words[0] if target.model is None else _filled(target.model, words)
    return ResolvedTarget(provider=target.provider, model=model, route=route.name, weight=target.weight)


def _filled(template: str, words: tuple[str, ...]) -> str:
    """`{model}` and `{1}` filled in, in one pass: braces in what the caller sent mean nothing."""

    def word(found: re.Match[str]) -> str:
        index = 0 if found[1] == "model" else int(found[1])
        return words[index] if index < len(words) else found[0]

    return _PLACEHOLDER.sub(word, template)
