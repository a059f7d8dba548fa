"""A caller's own wishes about who answers, within what the route and its key allow.

Nobody is asked who does not stand in the route, and a condition (`on`) holds whatever the caller prefers.

A provider is meant by its name in the configuration or by its kind, in any case. A name that means none of those in the
routes asked may be one behind a relay, a provider that chooses among providers itself: it leads there, and is passed
on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from msgspec import structs

from gaiarouter.config.settings import FallbackCondition, Provider
from gaiarouter.dialects.preferences import Preferences
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers.prices import Prices
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.selection import Circumstances, attempt_order

_MICRO: Final = 1_000_000
"""Of a price's units in a US dollar for a million tokens."""
_ANY: Final[tuple[FallbackCondition, ...]] = ("context_length", "content_policy")

Keeps = Callable[[ResolvedTarget], bool]


class Preferring:
    """relays: the providers that choose among providers themselves."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        relays: Collection[str],
        prices: Prices,
        *,
        health: Health,
        rng: Random,
    ) -> None:
        self.relays: Final = relays
        self.prices: Final = prices
        self._names = {
            name: frozenset((name.casefold(), provider.kind.casefold())) for name, provider in providers.items()
        }
        self._health = health
        self._rng = rng

    def placed(self, wishes: Preferences, matches: Sequence[Match]) -> Preferences:
        """The wishes with the names that mean a provider of these routes."""
        providers = {target.provider for match in matches for group in match.groups for target in group.targets}
        return structs.replace(wishes, ours=frozenset(name for each in providers for name in self._names[each]))

    def of_several(self, matches: Sequence[Match], wishes: Preferences, now: float) -> Match:
        """The first model's chain, then those of the models that the caller wants asked after it. wishes: placed among
        these routes. Raises as `preferred` if nobody is left of all of them."""
        left: list[Match] = []
        errors: list[InvalidRequest] = []
        for match in matches:
            try:
                left.append(self.preferred(match, wishes, now))
            except InvalidRequest as error:
                errors.append(error)
                left.append(replace(match, groups=(ResolvedGroup(()),)))
        if len(errors) == len(matches):
            raise errors[0]
        return followed(left[0], left[1:]) if len(left) > 1 else left[0]

    def preferred(self, match: Match, wishes: Preferences, now: float) -> Match:
        """The match as the caller wants it. Raises InvalidRequest with the wish that leaves nobody to ask."""
        for path, keeps in self._filters(wishes):
            left = [_only(group, keeps) for group in match.groups]
            if any(group.targets for group in match.groups) and not any(group.targets for group in left):
                raise InvalidRequest(
                    f"`{path}` leaves none of the model's providers", code="no_matching_provider", param=path
                )
            match = replace(match, groups=tuple(left))
        return replace(match, groups=tuple(self._ordered(match.groups, wishes, now)))

    def _filters(self, wishes: Preferences) -> list[tuple[str, Keeps]]:
        filters: list[tuple[str, Keeps]] = []
        if wishes.only is not None:
            filters.append(("provider.only", lambda target: self._place(target, wishes.only, wishes) is not None))
        if wishes.ignore is not None:
            filters.append(("provider.ignore", lambda target: not self._is_named(target, wishes.ignore or ())))
        if wishes.prompt_price is not None or wishes.completion_price is not None:
            filters.append(("provider.max_price", lambda target: self._is_within(target, wishes)))
        if wishes.demands:
            filters.append((wishes.demands[0], lambda target: target.provider in self.relays))
        if wishes.order is not None and not wishes.allow_fallbacks:
            filters.append(("provider.order", lambda target: self._place(target, wishes.order, wishes) is not None))
        return filters

    def _ordered(self, groups: Sequence[ResolvedGroup], wishes: Preferences, now: float) -> list[ResolvedGroup]:
        """Who is reached without a condition stands in the order that the caller wants; the others as they did."""
        by = Circumstances(self._health, self._rng, now, price=self.prices.compared)
        free = [group for group in groups if group.on is None]
        bound = [group for group in groups if group.on is not None]
        if wishes.order is not None or wishes.sort is not None:
            drawn = [target for group in free for target in attempt_order(group, by)]
            free = [ResolvedGroup((target,)) for target in self._sorted(drawn, wishes, now)]
        if not wishes.allow_fallbacks and wishes.order is None:
            first = next((group for group in free if group.targets), None)
            free = [] if first is None else [replace(first, targets=tuple(attempt_order(first, by))[:1])]
            bound = []
        # the first group is the route's own even if nothing is in it
        return [*free, *bound] if free else [ResolvedGroup(()), *bound]

    def _sorted(self, targets: Sequence[ResolvedTarget], wishes: Preferences, now: float) -> list[ResolvedTarget]:
        """What is not known of a target leaves it behind those of which it is, and where it stood."""

        def measured(target: ResolvedTarget) -> tuple[int, float]:
            known: float | None = None
            if wishes.sort == "price":
                known = self.prices.compared(target.provider, target.model)
            elif wishes.sort == "latency":
                known = self._health.latency_s(target, now)
            return (1, 0.0) if known is None else (0, known)

        order = wishes.order or ()
        named = len(order)
        return sorted(targets, key=lambda target: (_or(self._place(target, order, wishes), named), measured(target)))

    def _place(self, target: ResolvedTarget, names: Sequence[str] | None, wishes: Preferences) -> int | None:
        """The first of the names that means the target's provider, or leads to it."""
        own = self._names[target.provider]
        is_relay = target.provider in self.relays
        for index, name in enumerate(names or ()):
            folded = name.casefold()
            if folded in own or (is_relay and folded not in wishes.ours):
                return index
        return None

    def _is_named(self, target: ResolvedTarget, names: Sequence[str]) -> bool:
        own = self._names[target.provider]
        return any(name.casefold() in own for name in names)

    def _is_within(self, target: ResolvedTarget, wishes: Preferences) -> bool:
        """A relay keeps to the limit by itself. Whose price nobody knows may be above it."""
        if target.provider in self.relays:
            return True
        price = self.prices.find(target.provider, target.model)
        return price is not None and all(
            limit is None or (found is not None and found <= limit * _MICRO)
            for found, limit in ((price.input, wishes.prompt_price), (price.output, wishes.completion_price))
        )


def followed(first: Match, others: Sequence[Match]) -> Match:
    """The chain of the first, then those of models that the caller wants asked after it: also when the first cannot
    take the length of the request, or refuses what it says."""
    groups = [group for match in others for group in match.groups if group.targets]
    even_then = [replace(group, on=_ANY) for group in groups if group.on is None]
    return replace(first, groups=(*first.groups, *groups, *even_then))


def _only(group: ResolvedGroup, keeps: Keeps) -> ResolvedGroup:
    return replace(group, targets=tuple(target for target in group.targets if keeps(target)))


def _or(place: int | None, otherwise: int) -> int:
    return otherwise if place is None else place
