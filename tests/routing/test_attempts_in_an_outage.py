"""Attempts when targets are down: rests, breakers, and the budget of retries."""

from __future__ import annotations

from typing import Literal

import pytest

from gaiarouter.config.settings import Breaker, Retry, Timeouts
from gaiarouter.errors import (
    Failed,
    Throttled,
    TimedOut,
    Unavailable,
)
from tests.routing.build import group, reference, route
from tests.routing.world import World, must, uncounted


def test_a_resting_target_is_passed_over_until_its_time() -> None:
    world = World(route("m", "a", fallbacks=[group("b")]))
    world.play(Throttled("x", retry_after_s=30.0), None)
    world.now = 1029.0
    assert world.play(None)[0] == ["b"]
    world.now = 1030.0
    assert world.play(None)[0] == ["a"]


def test_a_throttled_target_that_is_alone_is_still_asked() -> None:
    world = World(route("m", "a"))
    world.play(Throttled("x", retry_after_s=30.0))
    assert world.play(None) == (["a"], None)


def _outage(world: World, requests: int) -> int:
    return sum(len(world.play(Failed("x"))[0]) for _ in range(requests))


def test_an_open_breaker_answers_at_once_and_asks_rarely() -> None:
    world = World(route("m", "a"))
    assert _outage(world, 200) <= 10
    _, verdict = world.play(Failed("x"))
    assert isinstance(verdict, Unavailable)
    assert verdict.code == "no_healthy_upstream"
    assert 0 < (verdict.retry_after_s or 0) <= 15
    world.now += 1.0
    assert _outage(world, 50) == 1
    world.now += 1.0
    assert world.play(None) == (["a"], None)


def test_an_open_target_is_passed_over_for_a_healthy_one() -> None:
    world = World(route("m", "a", fallbacks=[group("b")]))
    for _ in range(5):
        assert world.play(Failed("x"), None)[0] == ["a", "b"]
    for _ in range(20):
        assert world.play(None)[0] == ["b"]
    world.now += 15
    assert [world.play(None)[0] for _ in range(4)] == [["a"]] * 4


def test_of_several_open_targets_the_first_to_recover_is_asked() -> None:
    world = World(route("m", "a", fallbacks=[group("b")]), route("only-a", "a/m"), route("only-b", "b/m"))
    for model in ("only-b", "only-a"):
        for _ in range(10):
            world.play(Failed("x"), model=model)
        world.now += 5
    assert world.play(None)[0] == ["b"]


def test_who_had_no_time_is_not_to_blame_for_running_out_of_it() -> None:
    """The first target hangs, and those behind it have what is left of the caller's time."""
    patient = Breaker(window_s=600.0)
    world = World(route("m", "a", fallbacks=[group("b"), group("c")], timeouts=Timeouts(total_s=30.0), breaker=patient))
    for _ in range(5):
        plan = world.plan()
        while (attempt := plan.next(world.now)) is not None:
            world.now = attempt.deadline
            plan.failed(attempt, TimedOut("x", phase="total"), world.now)
        world.now += 0.1
    states = {each.provider: each.state for each in world.health.snapshot(world.now)}
    assert states == {"a": "open", "b": "closed", "c": "closed"}


def test_a_caller_that_sends_its_request_slowly_is_not_held_against_the_target() -> None:
    world = World(route("m", "a", timeouts=Timeouts(total_s=30.0, first_byte_s=20.0)))
    for _ in range(10):
        plan = world.plan()
        world.now += 25.0
        attempt = must(plan.next(world.now))
        world.now += 5.0
        plan.failed(attempt, TimedOut("x", phase="first_byte"), world.now)
    assert [each.state for each in world.health.snapshot(world.now)] == ["closed"]


@pytest.mark.parametrize(("phase", "state"), [("total", "closed"), ("idle", "open")])
def test_an_answer_that_is_longer_than_its_time_is_no_fault_and_one_that_falls_silent_is(
    phase: Literal["total", "idle"], state: str
) -> None:
    world = World(route("m", "a"))
    plans = [world.plan() for _ in range(30)]
    attempts = [must(plan.next(world.now)) for plan in plans]
    for plan, attempt in zip(plans, attempts, strict=True):
        plan.spoke(attempt, world.now, 0.1)
    for plan, attempt in zip(plans, attempts, strict=True):
        plan.failed(attempt, TimedOut("x", phase=phase), world.now)
    assert [each.state for each in world.health.snapshot(world.now)] == [state]


def test_retries_are_a_share_of_requests_after_the_store_is_used_up() -> None:
    world = World(route("m", "a", retry=Retry(budget=0.2)))
    calls = []
    for _ in range(300):
        plan, count = world.plan(), 0
        while (attempt := plan.next(world.now)) is not None:
            count += 1
            plan.failed(attempt, uncounted(), world.now)
        calls.append(count)
    assert sum(calls[20:]) <= 1.2 * len(calls[20:]) + 1
    assert sum(calls[20:]) > 1.1 * len(calls[20:])


def test_without_a_budget_nothing_is_retried_but_all_falls_back() -> None:
    world = World(route("m", "a", fallbacks=[group("b")], retry=Retry(budget=0.0)))
    assert world.play(Failed("x"))[0] == ["a", "b"]


def test_a_fallback_is_no_retry() -> None:
    world = World(route("m", "a/one", fallbacks=[group("a/two")], retry=Retry(budget=0.0)))
    assert world.play(Failed("x"), None) == (["a", "a"], None)


def test_the_matched_routes_numbers_hold_behind_a_reference() -> None:
    world = World(
        route("m", "a", fallbacks=[reference("other")], retry=Retry(attempts=2), timeouts=Timeouts(total_s=10.0)),
        route("other", "b", fallbacks=[group("c")], retry=Retry(attempts=9)),
    )
    assert world.play(Failed("x"))[0] == ["a", "b"]
    assert world.plan().deadline == world.now + 10
