"""The order in which a group's targets are tried, and the provider key that an attempt uses.

A new way of balancing is one function here and its line in BALANCES. Chance and clock are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Final

from gaiarouter.config.settings import Balance, Provider, ProviderKey
from gaiarouter.routing.base import ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import Health

Targets = Sequence[ResolvedTarget]


def attempt_order(group: ResolvedGroup, health: Health, rng: Random, now: float) -> Targets:
    """All targets of the group, the first choice first."""
    if len(group.targets) == 1:
        return group.targets
    return BALANCES[group.balance](group.targets, health, rng, now)


def weighted(targets: Targets, _health: Health, rng: Random, _now: float) -> Targets:
    """Drawn by weight, without putting back: the first place has exactly the weights' shares, and so has every later
    place among those that are left."""
    return sorted(targets, key=lambda target: _draw(target.weight, rng))


def least_latency(targets: Targets, health: Health, rng: Random, now: float) -> Targets:
    """The shortest usual time to first content first. A target without a fresh one is measured before all others, by
    one request; while that runs it stands behind those that are known."""

    def expected(target: ResolvedTarget) -> tuple[int, float]:
        latency = health.latency_s(target, now)
        if latency is not None:
            return (1, latency)
        in_flight = health.in_flight(target)
        return (2, in_flight) if in_flight else (0, 0.0)

    return sorted(weighted(targets, health, rng, now), key=expected)


def least_busy(targets: Targets, health: Health, rng: Random, now: float) -> Targets:
    """The fewest requests in flight for its weight first; equals are drawn by weight."""

    def load(target: ResolvedTarget) -> float:
        return health.in_flight(target) / target.weight

    return sorted(weighted(targets, health, rng, now), key=load)


BALANCES: Final[Mapping[Balance, Callable[[Targets, Health, Random, float], Targets]]] = MappingProxyType(
    {"weighted": weighted, "least_latency": least_latency, "least_busy": least_busy}
)


def pick_key(provider: Provider, health: Health, rng: Random, now: float) -> ProviderKey | None:
    """Drawn by weight from the keys that do not rest; if all do, the one that is free first. None: it needs none."""
    keys = provider.keys
    if len(keys) < 2:
        return keys[0] if keys else None
    awake = [key for key in keys if health.key_rests_until(provider, key) <= now]
    if not awake:
        return min(keys, key=lambda key: health.key_rests_until(provider, key))
    return min(awake, key=lambda key: _draw(key.weight, rng))


def _draw(weight: int, rng: Random) -> float:
    """A waiting time with rate `weight`: of several, each is the shortest with its weight's share."""
    return rng.expovariate(weight)
