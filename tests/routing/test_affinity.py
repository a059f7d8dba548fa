"""Affinity: what has something in common goes to the same target, and little moves when the targets change."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from gaiarouter.config.settings import Breaker
from gaiarouter.errors import Failed, KeyRefused
from gaiarouter.routing.attempts import Plan
from gaiarouter.routing.base import ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.selection import Circumstances, attempt_order, pick_key
from tests.routing.build import provider, route
from tests.routing.world import World, must

CONVERSATIONS = [b"%016x" % number for number in range(4000)]


def _group(*weights: int) -> ResolvedGroup:
    return ResolvedGroup(tuple(ResolvedTarget("p", f"m{n}", "r", weight) for n, weight in enumerate(weights) if weight))


def _homes(*weights: int) -> list[str]:
    """Where each conversation goes. A weight of 0 is a target that is not there."""
    health, rng, group = Health(), Random(7), _group(*weights)
    return [attempt_order(group, Circumstances(health, rng, 0.0, each))[0].model for each in CONVERSATIONS]


def _stayed(before: list[str], after: list[str]) -> float:
    return sum(one == other for one, other in zip(before, after, strict=True)) / len(before)


def test_the_same_goes_to_the_same_whatever_chance_says() -> None:
    group, health, rng = _group(1, 1, 1), Health(), Random(7)
    orders = {tuple(attempt_order(group, Circumstances(health, rng, 0.0, b"one"))) for _ in range(50)}
    assert len(orders) == 1


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (5, 3, 2)])
def test_targets_have_the_shares_of_their_weights(weights: tuple[int, ...]) -> None:
    seen = Counter(_homes(*weights))
    for number, weight in enumerate(weights):
        assert seen[f"m{number}"] / len(CONVERSATIONS) == pytest.approx(weight / sum(weights), abs=0.03)


def test_when_a_target_joins_only_its_own_share_moves_and_moves_to_it() -> None:
    before, after = _homes(1, 1, 1, 1), _homes(1, 1, 1, 1, 1)
    assert _stayed(before, after) == pytest.approx(0.8, abs=0.02)
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {"m4"}


def test_when_a_target_leaves_only_its_own_conversations_move() -> None:
    before, after = _homes(1, 1, 1, 1), _homes(1, 0, 1, 1)
    assert _stayed(before, after) == pytest.approx(0.75, abs=0.02)
    assert {old for old, new in zip(before, after, strict=True) if old != new} == {"m1"}
    assert len({new for old, new in zip(before, after, strict=True) if old == "m1"}) == 3, "its load is shared"


def test_a_target_that_fails_gives_its_conversations_away_and_gets_them_back() -> None:
    world = World(route("m", "a", "b", "c"))
    match = world.table.match("m")
    assert match is not None

    def first(conversation: bytes) -> str:
        made = Plan(match, world.settings.providers, world.health, world.rng, world.now, affinity=conversation)
        attempt = must(made.next(world.now))
        made.cancelled(attempt)
        return attempt.target.provider

    homes = {each: first(each) for each in CONVERSATIONS[:60]}
    for target in match.groups[0].targets:
        if target.provider == "b":
            for _ in range(5):
                flight = world.health.started(target, provider("b"), None, world.now, Breaker())
                world.health.failed(flight, Failed("x"), world.now)
    away = {each: first(each) for each in homes}
    assert all(away[each] == home for each, home in homes.items() if home != "b")
    assert {away[each] for each, home in homes.items() if home == "b"} == {"a", "c"}
    world.now += 16.0
    assert first(next(each for each, home in homes.items() if home == "b")) == "b"


def test_the_provider_key_stays_too_while_it_is_well() -> None:
    provided, health, rng = provider("p", keys=3), Health(), Random(7)

    def index(conversation: bytes, now: float = 0.0) -> int:
        key = pick_key(provided, Circumstances(health, rng, now, conversation))
        assert key is not None
        return key.index

    homes = {each: index(each) for each in CONVERSATIONS[:300]}
    assert set(homes.values()) == {0, 1, 2}
    target = ResolvedTarget("p", "m", "r")
    health.failed(health.started(target, provided, provided.keys[1], 0.0, Breaker()), KeyRefused("no"), 0.0)
    assert all(index(each) == home for each, home in homes.items() if home != 1)
    assert {index(each) for each, home in homes.items() if home == 1} == {0, 2}
    assert all(index(each, now=60.0) == home for each, home in homes.items())
