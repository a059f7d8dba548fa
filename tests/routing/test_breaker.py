from __future__ import annotations

from collections.abc import Sequence

import pytest

from gaiarouter.config.settings import Breaker, Provider
from gaiarouter.errors import Failed, Interrupted, KeyRefused, NotServed, QuotaSpent, Rejected, Throttled, UpstreamError
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.routing.breaker import Change, Flight, Health
from tests.routing.build import provider

TARGET = ResolvedTarget("p", "m", "r")
OTHER = ResolvedTarget("p", "other", "r")
ONE_KEY = provider("p")
TWO_KEYS = provider("p", keys=2)
SETTINGS = Breaker(failures=5, window_s=30.0, cooldown_s=15.0)


def _begin(health: Health, now: float, target: ResolvedTarget = TARGET, at: Provider = ONE_KEY, key: int = 0) -> Flight:
    return health.started(target, at, at.keys[key], now, SETTINGS)


def _end(health: Health, flight: Flight, error: UpstreamError | None, now: float) -> None:
    if error is None:
        health.succeeded(flight, now, 0.1)
    else:
        health.failed(flight, error, now)


def _run(health: Health, outcomes: Sequence[UpstreamError | None], now: float) -> None:
    for outcome in outcomes:
        _end(health, _begin(health, now), outcome, now)


def _opened(now: float = 0.0) -> Health:
    health = Health()
    _run(health, [Failed("x")] * 5, now)
    return health


def _state(health: Health, now: float) -> str:
    (seen,) = health.snapshot(now)
    return seen.state


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([Failed("x")] * 4, "closed"),
        ([Failed("x")] * 5, "open"),
        ([Failed("x")] * 4 + [None] + [Failed("x")] * 4, "closed"),
        ([Failed("x")] * 4 + [Rejected("x", status=400)] + [Failed("x")], "closed"),
        ([Rejected("x", status=400)] * 50, "closed"),
        ([KeyRefused("x")] * 50, "closed"),
        ([Throttled("x")] * 50, "closed"),
        ([Interrupted("x")] * 5, "open"),
        ([Failed("x"), None] * 9 + [None], "closed"),
        ([None, Failed("x")] * 10, "open"),
        ([None, None, Failed("x")] * 20, "closed"),
    ],
)
def test_only_the_providers_faults_open_a_circuit(outcomes: list[UpstreamError | None], state: str) -> None:
    health = Health()
    _run(health, outcomes, now=0.0)
    assert _state(health, 0.0) == state


def test_failures_further_apart_than_the_window_do_not_add_up() -> None:
    health = Health()
    for now in range(0, 100, 8):
        _run(health, [Failed("x")], float(now))
    assert _state(health, 100.0) == "closed"
    _run(health, [Failed("x")], 100.0)
    _run(health, [Failed("x")], 101.0)
    assert _state(health, 101.0) == "open"


def test_the_share_of_failures_is_that_of_the_last_ten_seconds() -> None:
    health = Health()
    _run(health, [None] * 1000, 0.0)
    _run(health, [None, Failed("x")] * 10, 10.5)
    assert _state(health, 10.5) == "open"


def test_an_open_circuit_admits_nothing_until_it_has_cooled_down() -> None:
    health = _opened(now=100.0)
    assert not health.admits(TARGET, ONE_KEY, 114.9)
    assert health.recovers_at(TARGET, ONE_KEY) == 115.0
    assert health.admits(TARGET, ONE_KEY, 115.0)
    assert health.admits(OTHER, ONE_KEY, 100.0)


def test_a_half_open_circuit_lets_one_probe_through_at_a_time() -> None:
    health = _opened()
    for _ in range(2):
        probe = _begin(health, 15.0)
        assert not health.admits(TARGET, ONE_KEY, 15.0)
        _end(health, probe, None, 15.0)
        assert _state(health, 15.0) == "half_open"
        assert health.admits(TARGET, ONE_KEY, 15.0)
    _run(health, [None], 15.0)
    assert _state(health, 15.0) == "closed"


def test_a_failed_probe_opens_the_circuit_again() -> None:
    health = _opened()
    _run(health, [None, None, Failed("x")], 15.0)
    assert _state(health, 29.9) == "open"
    _run(health, [None, None], 30.0)
    assert _state(health, 30.0) == "half_open"


@pytest.mark.parametrize("ending", [None, Throttled("x"), KeyRefused("x"), NotServed()], ids=repr)
def test_a_probe_that_says_nothing_of_the_target_is_free_again(ending: UpstreamError | None) -> None:
    health = _opened()
    for _ in range(3):
        probe = _begin(health, 15.0, at=TWO_KEYS)
        if ending is None:
            health.cancelled(probe)
        else:
            health.failed(probe, ending, 15.0)
    assert _state(health, 15.0) == "half_open"
    assert health.admits(TARGET, TWO_KEYS, 15.0)


def test_a_probe_that_never_comes_back_does_not_hold_others_off_for_ever() -> None:
    health = _opened()
    lost = _begin(health, 15.0)
    assert not health.admits(TARGET, ONE_KEY, 29.9)
    assert health.admits(TARGET, ONE_KEY, 30.0)
    second = _begin(health, 30.0)
    _end(health, lost, None, 31.0)
    assert not health.admits(TARGET, ONE_KEY, 31.0)  # the late one does not free the second's place
    health.cancelled(second)
    assert health.admits(TARGET, ONE_KEY, 31.0)


def test_the_first_content_ends_the_probe_though_the_stream_goes_on() -> None:
    health = _opened()
    probe = _begin(health, 15.0)
    health.spoke(probe, 15.0, 0.1)
    assert health.admits(TARGET, ONE_KEY, 15.0)
    assert health.in_flight(TARGET) == 1
    health.succeeded(probe, 60.0, 0.1)
    _run(health, [None], 60.0)
    assert _state(health, 60.0) == "half_open"  # two probes so far, not three


def test_what_began_before_the_circuit_opened_neither_closes_nor_prolongs_it() -> None:
    health = Health()
    early = [_begin(health, 0.0) for _ in range(6)]
    _run(health, [Failed("x")] * 5, 1.0)
    for flight in early[:5]:
        _end(health, flight, None, 2.0)
    _end(health, early[5], Failed("x"), 10.0)
    assert health.recovers_at(TARGET, ONE_KEY) == 16.0


def test_a_last_resort_goes_one_at_a_time_and_one_a_second() -> None:
    health = _opened(now=0.0)
    assert not health.is_last_resort(TARGET, 0.9)
    assert health.is_last_resort(TARGET, 1.0)
    flight = _begin(health, 1.0)
    assert not health.is_last_resort(TARGET, 1.5)
    _end(health, flight, None, 1.5)
    assert _state(health, 1.5) == "half_open"


@pytest.mark.parametrize(("hint", "rest"), [(None, 15.0), (0.02, 1.0), (30.0, 30.0), (86400.0, 600.0), (-5.0, 1.0)])
def test_a_throttled_target_rests_as_long_as_it_was_told(hint: float | None, rest: float) -> None:
    health = Health()
    _run(health, [Throttled("x", retry_after_s=hint)], 100.0)
    assert health.recovers_at(TARGET, ONE_KEY) == 100.0 + rest
    assert not health.admits(TARGET, ONE_KEY, 100.0 + rest - 0.01)
    assert health.admits(TARGET, ONE_KEY, 100.0 + rest)


def test_a_shorter_rest_does_not_end_a_longer_one() -> None:
    health = Health()
    _run(health, [Throttled("x", retry_after_s=300.0), Throttled("x", retry_after_s=1.0)], 0.0)
    assert health.recovers_at(TARGET, ONE_KEY) == 300.0


def test_a_request_that_is_too_large_for_a_limit_rests_nobody() -> None:
    health, error = Health(), Throttled("x")
    error.retryable = False
    _run(health, [error], 0.0)
    assert health.admits(TARGET, ONE_KEY, 0.0)


def test_a_refused_key_rests_alone() -> None:
    health = Health()
    _end(health, _begin(health, 0.0, at=TWO_KEYS, key=0), KeyRefused("x"), 0.0)
    assert [(rest.index, rest.rests_s) for rest in health.resting_keys(1.0)] == [(0, 59.0)]
    assert health.admits(TARGET, TWO_KEYS, 0.0)
    _end(health, _begin(health, 10.0, at=TWO_KEYS, key=1), KeyRefused("x"), 10.0)
    assert not health.admits(OTHER, TWO_KEYS, 59.0)
    assert health.recovers_at(OTHER, TWO_KEYS) == 60.0
    assert health.resting_keys(70.0) == ()


@pytest.mark.parametrize(("hint", "rest"), [(None, 300.0), (20.0, 300.0), (400.0, 400.0), (86_400.0, 600.0)])
def test_a_key_without_credit_rests_alone_and_longer(hint: float | None, rest: float) -> None:
    health = Health()
    _end(health, _begin(health, 0.0, at=TWO_KEYS, key=0), QuotaSpent("x", retry_after_s=hint), 0.0)
    assert [(each.index, each.rests_s) for each in health.resting_keys(0.0)] == [(0, rest)]
    assert health.admits(TARGET, TWO_KEYS, 0.0)
    assert _state(health, 0.0) == "closed"


def test_with_one_key_only_the_target_rests() -> None:
    health = Health()
    _run(health, [KeyRefused("x")], 0.0)
    assert not health.admits(TARGET, ONE_KEY, 59.9)
    assert health.admits(OTHER, ONE_KEY, 0.0)
    assert health.resting_keys(0.0) == ()


def test_a_second_ending_does_nothing() -> None:
    health = Health()
    flight = _begin(health, 0.0)
    for error in (None, Failed("x"), Failed("x"), Throttled("x")):
        _end(health, flight, error, 0.0)
    health.cancelled(flight)
    (seen,) = health.snapshot(0.0)
    assert (seen.in_flight, seen.rests_s, seen.state) == (0, 0.0, "closed")


def test_a_snapshot_says_how_each_target_fares() -> None:
    health = _opened(now=0.0)
    _end(health, _begin(health, 0.0, target=OTHER), Throttled("x", retry_after_s=30.0), 0.0)
    _begin(health, 0.0, target=OTHER)
    rows = [(s.provider, s.id, s.state, s.level, s.in_flight, s.rests_s) for s in health.snapshot(10.0)]
    assert rows == [("p", "p/m", "open", 2, 0, 0.0), ("p", "p/other", "closed", 0, 1, 20.0)]


def test_what_is_known_of_a_changed_provider_is_forgotten() -> None:
    health = _opened()
    running = _begin(health, 20.0)
    _end(health, _begin(health, 20.0, at=TWO_KEYS), KeyRefused("x"), 20.0)
    health.forget("another")
    assert len(health.snapshot(20.0)) == 1
    health.forget("p")
    assert (health.snapshot(20.0), health.resting_keys(20.0)) == ((), ())
    _end(health, running, Failed("x"), 21.0)
    assert health.admits(TARGET, ONE_KEY, 21.0)


def test_made_up_names_do_not_wash_away_a_failing_target_nor_fill_the_memory() -> None:
    health = _opened()
    for index in range(10_000):
        name = ResolvedTarget("p", f"made-up-{index}", "r")
        _end(health, _begin(health, 1.0, target=name), Failed("x"), 1.0)
    assert len(health.snapshot(1.0)) <= 4096
    assert not health.admits(TARGET, ONE_KEY, 1.0)


def _telling() -> tuple[Health, list[Change]]:
    told: list[Change] = []
    return Health(told.append), told


def test_each_change_of_a_circuit_is_told_once() -> None:
    health, told = _telling()
    _run(health, [Failed("x")] * 4, 0.0)
    assert told == []
    running = _begin(health, 0.0)
    _run(health, [Failed("x")], 0.0)
    _end(health, running, Failed("x"), 1.0)  # began before it opened: nothing new
    _run(health, [Failed("x")], 20.0)
    _run(health, [None] * 3, 40.0)
    _run(health, [None], 41.0)
    assert [change.kind for change in told] == ["opened", "probed", "reopened", *["probed"] * 3, "closed"]
    assert told[0] == Change("opened", "p", "p/m", for_s=15.0)


@pytest.mark.parametrize(("at", "error", "kind", "for_s"), [
    (ONE_KEY, KeyRefused("x"), "refused", 60.0),
    (TWO_KEYS, KeyRefused("x"), "refused", 60.0),
    (TWO_KEYS, QuotaSpent("x"), "refused", 300.0),
    (TWO_KEYS, Throttled("x", retry_after_s=7.0), "throttled", 7.0),
    (ONE_KEY, Throttled("x"), "throttled", 15.0),
])  # fmt: skip
def test_a_key_that_is_put_to_rest_is_told_once_for_each_rest(
    at: Provider, error: UpstreamError, kind: str, for_s: float
) -> None:
    health, told = _telling()
    flights = [_begin(health, 0.0, at=at) for _ in range(3)]
    for flight in flights:
        _end(health, flight, error, 1.0)
    assert [(change.kind, change.key, change.for_s) for change in told] == [(kind, 0, for_s)]
    _end(health, _begin(health, 1000.0, at=at), error, 1000.0)
    assert len(told) == 2
