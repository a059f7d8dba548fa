from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from gaiarouter.config.settings import Balance, Breaker, ProviderKey
from gaiarouter.errors import KeyRefused, Throttled
from gaiarouter.routing.base import ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.selection import Circumstances, attempt_order, pick_key
from tests.routing.build import provider

DRAWS = 20_000


def _group(*weights: int, balance: Balance = "weighted") -> ResolvedGroup:
    targets = (ResolvedTarget("p", f"m{index}", "r", weight) for index, weight in enumerate(weights))
    return ResolvedGroup(tuple(targets), balance=balance)


def _names(targets: Sequence[ResolvedTarget]) -> list[str]:
    return [target.model for target in targets]


def _chi_square(seen: Counter[str], shares: dict[str, float]) -> float:
    return sum((seen[name] - DRAWS * share) ** 2 / (DRAWS * share) for name, share in shares.items())


# the 99.9 % points of the chi-square distribution for 1, 2, 3 degrees of freedom
CRITICAL = {1: 10.83, 2: 13.82, 3: 16.27}


@pytest.mark.parametrize("weights", [(9, 1), (1, 1), (5, 3, 2), (1, 10, 100, 1)])
def test_the_first_choice_has_the_shares_of_the_weights(weights: tuple[int, ...]) -> None:
    group, health, rng = _group(*weights), Health(), Random(7)
    seen = Counter(attempt_order(group, Circumstances(health, rng, 0.0))[0].model for _ in range(DRAWS))
    shares = {f"m{index}": weight / sum(weights) for index, weight in enumerate(weights)}
    assert _chi_square(seen, shares) < CRITICAL[len(weights) - 1]


def test_the_second_choice_has_the_shares_of_those_that_are_left() -> None:
    group, health, rng = _group(5, 3, 2), Health(), Random(7)
    orders = [_names(attempt_order(group, Circumstances(health, rng, 0.0))) for _ in range(DRAWS)]
    pairs = Counter(order[1] for order in orders if order[0] == "m0")
    total = pairs.total()
    assert pairs["m1"] / total == pytest.approx(0.6, abs=0.02)
    assert pairs["m2"] / total == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("balance", ["weighted", "least_latency", "least_busy", "cheapest"])
def test_an_order_holds_every_target_once(balance: Balance) -> None:
    group = _group(1, 2, 7, 3, balance=balance)
    assert sorted(_names(attempt_order(group, Circumstances(Health(), Random(7), 0.0)))) == ["m0", "m1", "m2", "m3"]


def _measure(health: Health, target: ResolvedTarget, latency_s: float, now: float) -> None:
    flight = health.started(target, provider("p"), None, now, Breaker())
    health.succeeded(flight, now, latency_s)


def test_the_quickest_target_comes_first() -> None:
    group, health = _group(1, 1, 1, balance="least_latency"), Health()
    for target, latency_s in zip(group.targets, (0.5, 0.1, 0.3), strict=True):
        _measure(health, target, latency_s, now=0.0)
    assert _names(attempt_order(group, Circumstances(health, Random(7), 1.0))) == ["m1", "m2", "m0"]


def test_an_unknown_target_is_measured_first_but_by_one_request() -> None:
    group, health, rng = _group(1, 1, balance="least_latency"), Health(), Random(7)
    _measure(health, group.targets[0], 0.1, now=0.0)
    assert _names(attempt_order(group, Circumstances(health, rng, 1.0))) == ["m1", "m0"]
    health.started(group.targets[1], provider("p"), None, 1.0, Breaker())
    assert _names(attempt_order(group, Circumstances(health, rng, 1.0))) == ["m0", "m1"]


def test_a_measurement_that_is_old_is_made_again() -> None:
    group, health, rng = _group(1, 1, balance="least_latency"), Health(), Random(7)
    _measure(health, group.targets[0], 9.0, now=0.0)
    _measure(health, group.targets[1], 0.1, now=50.0)
    assert _names(attempt_order(group, Circumstances(health, rng, 55.0)))[0] == "m1"
    assert _names(attempt_order(group, Circumstances(health, rng, 65.0)))[0] == "m0"


def test_latency_follows_what_is_seen() -> None:
    target, health = _group(1).targets[0], Health()
    _measure(health, target, 1.0, now=0.0)
    assert health.latency_s(target, 0.0) == 1.0
    for now in range(1, 30):
        _measure(health, target, 3.0, now=float(now))
    assert health.latency_s(target, 30.0) == pytest.approx(3.0, abs=0.01)


def test_the_fewest_requests_for_its_weight_come_first() -> None:
    group, health = _group(1, 4, balance="least_busy"), Health()
    light, heavy = group.targets
    firsts = []
    for _ in range(50):
        first = attempt_order(group, Circumstances(health, Random(7), 0.0))[0]
        health.started(first, provider("p"), None, 0.0, Breaker())
        firsts.append(first)
    assert (firsts.count(light), firsts.count(heavy)) == (10, 40)


def test_the_lowest_price_comes_first_and_an_unknown_one_last() -> None:
    prices = {"m0": None, "m1": 30, "m2": 0, "m3": 10}
    group, health = _group(9, 1, 1, 1, balance="cheapest"), Health()
    circumstances = Circumstances(health, Random(7), 0.0, price=lambda provider, model: prices[model])
    assert _names(attempt_order(group, circumstances)) == ["m2", "m3", "m1", "m0"]


def test_equal_prices_are_drawn_by_weight() -> None:
    group = _group(3, 1, balance="cheapest")
    circumstances = Circumstances(Health(), Random(7), 0.0, price=lambda provider, model: 5)
    seen = Counter(attempt_order(group, circumstances)[0].model for _ in range(DRAWS))
    assert _chi_square(seen, {"m0": 0.75, "m1": 0.25}) < CRITICAL[1]


def test_keys_are_drawn_by_weight() -> None:
    keys = provider("p", keys=2).keys
    weighted = replace(provider("p"), keys=(keys[0], replace(keys[1], weight=3)))
    health, rng = Health(), Random(7)
    seen = Counter(str(_index(pick_key(weighted, Circumstances(health, rng, 0.0)))) for _ in range(DRAWS))
    assert _chi_square(seen, {"0": 0.25, "1": 0.75}) < CRITICAL[1]


def _index(key: ProviderKey | None) -> int:
    assert key is not None
    return key.index


def test_a_key_that_rests_is_not_drawn() -> None:
    provided, health, rng, target = provider("p", keys=3), Health(), Random(7), _group(1).targets[0]
    health.failed(health.started(target, provided, provided.keys[0], 0.0, Breaker()), KeyRefused("no"), 0.0)
    flight = health.started(target, provided, provided.keys[1], 0.0, Breaker())
    health.failed(flight, Throttled("slow", retry_after_s=5.0), 0.0)
    assert {_index(pick_key(provided, Circumstances(health, rng, 4.9))) for _ in range(50)} == {2}
    assert {_index(pick_key(provided, Circumstances(health, rng, 5.0))) for _ in range(50)} == {1, 2}
    assert {_index(pick_key(provided, Circumstances(health, rng, 60.0))) for _ in range(50)} == {0, 1, 2}


def test_when_all_keys_rest_the_first_to_wake_is_drawn() -> None:
    provided, health, target = provider("p", keys=2), Health(), _group(1).targets[0]
    for key, rest in zip(provided.keys, (9.0, 4.0), strict=True):
        flight = health.started(target, provided, key, 0.0, Breaker())
        health.failed(flight, Throttled("slow", retry_after_s=rest), 0.0)
    assert _index(pick_key(provided, Circumstances(health, Random(7), 1.0))) == 1


def test_a_provider_without_keys_is_called_without_one() -> None:
    assert pick_key(provider("p", keys=0), Circumstances(Health(), Random(7), 0.0)) is None
