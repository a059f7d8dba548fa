"""The order in which a group's targets are tried, and the provider key that an attempt uses.

A new way of balancing is one function here and its line in BALANCES. Chance and clock are arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from random import Random
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gaiarouter.config.settings import Balance, Provider, ProviderKey
from gaiarouter.routing.base import ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import Health

Targets = Sequence[ResolvedTarget]
Price = Callable[[str, str], int | None]
"""What a provider takes for a model, in any unit that can be compared; None where that is not known."""

_HASH_BYTES: Final = 8


def no_price(_provider: str, _model: str) -> int | None:
    return None


class Circumstances(Struct, frozen=True):
    """What a choice is made by. affinity: of two requests that share it both make the same choice, as long as the
    targets are well; None draws."""

    health: Health
    rng: Random
    now: float
    affinity: bytes | None = None
    price: Price = no_price


def attempt_order(group: ResolvedGroup, by: Circumstances) -> Targets:
    """All targets of the group, the first choice first."""
    if len(group.targets) == 1:
        return group.targets
    return BALANCES[group.balance](group.targets, by)


def weighted(targets: Targets, by: Circumstances) -> Targets:
    """Drawn by weight, without putting back: the first place has exactly the weights' shares, and so has every later
    place among those that are left."""
    return sorted(targets, key=lambda target: _draw(target.weight, target.id, by))


def least_latency(targets: Targets, by: Circumstances) -> Targets:
    """The shortest usual time to first content first. A target without a fresh one is measured before all others, by
    one request; while that runs it stands behind those that are known."""

    def expected(target: ResolvedTarget) -> tuple[int, float]:
        latency = by.health.latency_s(target, by.now)
        if latency is not None:
            return (1, latency)
        in_flight = by.health.in_flight(target)
        return (2, in_flight) if in_flight else (0, 0.0)

    return sorted(weighted(targets, by), key=expected)


def least_busy(targets: Targets, by: Circumstances) -> Targets:
    """The fewest requests in flight for its weight first; equals are drawn by weight."""

    def load(target: ResolvedTarget) -> float:
        return by.health.in_flight(target) / target.weight

    return sorted(weighted(targets, by), key=load)


def cheapest(targets: Targets, by: Circumstances) -> Targets:
    """The lowest price first, unknown ones last; equals are drawn by weight."""

    def cost(target: ResolvedTarget) -> float:
        price = by.price(target.provider, target.model)
        return math.inf if price is None else price

    return sorted(weighted(targets, by), key=cost)


BALANCES: Final[Mapping[Balance, Callable[[Targets, Circumstances], Targets]]] = MappingProxyType(
    {"weighted": weighted, "least_latency": least_latency, "least_busy": least_busy, "cheapest": cheapest}
)


def pick_key(provider: Provider, by: Circumstances) -> ProviderKey | None:
    """Drawn by weight from the keys that do not rest; if all do, the one that is free first. None: it needs none."""
    keys = provider.keys
    if len(keys) < 2:
        return keys[0] if keys else None
    awake = [key for key in keys if by.health.key_rests_until(provider, key) <= by.now]
    if not awake:
        return min(keys, key=lambda key: by.health.key_rests_until(provider, key))
    # a prompt cache belongs to the provider's account, so that affinity holds for the key too
    return min(awake, key=lambda key: _draw(key.weight, f"{provider.name}#{key.index}", by))


def _draw(weight: int, name: str, by: Circumstances) -> float:
    """A waiting time with rate `weight`: of several, each is the shortest with its weight's share.

    With an affinity it is no chance but a hash of both (rendezvous hashing): who joins takes its share from all others,
    who leaves gives its own to them, and nothing else moves.
    """
    if by.affinity is None:
        return by.rng.expovariate(weight)
    digest = blake2b(name.encode(), digest_size=_HASH_BYTES, key=by.affinity).digest()
    return -math.log((int.from_bytes(digest) + 0.5) / 2 ** (8 * _HASH_BYTES)) / weight
