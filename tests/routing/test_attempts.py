from __future__ import annotations

from collections.abc import Callable

import pytest

from gaiarouter.config.settings import Retry, Timeouts
from gaiarouter.errors import (
    BadAnswer,
    Failed,
    Interrupted,
    KeyRefused,
    Overloaded,
    ProtocolBroken,
    Rejected,
    Throttled,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
)
from tests.routing.build import group, reference, route
from tests.routing.world import World, must, uncounted


def _too_long() -> Rejected:
    return Rejected("too long", status=400, condition="context_length")


def _filtered() -> Rejected:
    return Rejected("no", status=400, condition="content_policy")


FALLS_BACK: list[Callable[[], UpstreamError]] = [
    lambda: Unreachable("x"),
    lambda: TimedOut("x", phase="connect"),
    lambda: TimedOut("x", phase="first_byte"),
    lambda: TimedOut("x", phase="idle"),
    lambda: ProtocolBroken("x"),
    lambda: BadAnswer("x"),
    lambda: Interrupted("x"),
    lambda: KeyRefused("x"),
    lambda: Throttled("x"),
    lambda: Throttled("x", retry_after_s=1.0),
    lambda: Overloaded("x"),
    lambda: Failed("x"),
]


@pytest.mark.parametrize("error", FALLS_BACK)
def test_t70_a_failure_falls_back_at_once(error: Callable[[], UpstreamError]) -> None:
    world = World(route("m", "a", fallbacks=[group("b")]))
    assert world.play(error(), None) == (["a", "b"], None)
    assert world.now == 1000.0


def test_a_refusal_that_taught_how_to_ask_is_asked_again_there_and_at_once_but_only_so_often() -> None:
    def mended() -> Rejected:
        error = Rejected("no such effort", status=400)
        error.mended = True
        return error

    world = World(route("m", "a", fallbacks=[group("b")]))
    assert world.play(mended(), None) == (["a", "a"], None)
    assert world.now == 1000.0
    last = mended()
    assert World(route("m", "a", fallbacks=[group("b")])).play(mended(), last) == (["a", "a"], last)
    once = World(route("m", "a", fallbacks=[group("b")], retry=Retry(attempts=1)))
    assert once.play(last) == (["a"], last)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_the_callers_fault_goes_back_as_it_is(status: int) -> None:
    error = Rejected("bad", status=status)
    assert World(route("m", "a", fallbacks=[group("b")])).play(error) == (["a"], error)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Unreachable("x"), 2),
        (Failed("x"), 2),
        (Overloaded("x"), 2),
        (Overloaded("x", retry_after_s=2.0), 2),
        (Overloaded("x", retry_after_s=2.1), 1),
        (Interrupted("x"), 2),
        (TimedOut("x", phase="connect"), 2),
        (TimedOut("x", phase="first_byte"), 1),
        (KeyRefused("x"), 1),
        (Throttled("x", retry_after_s=2.0), 2),
        (Throttled("x", retry_after_s=0.02), 2),
        (Throttled("x", retry_after_s=3.0), 1),
        (Throttled("x"), 1),
        (Rejected("x", status=400), 1),
    ],
)
def test_a_target_alone_is_tried_again_only_where_that_can_help(error: UpstreamError, tries: int) -> None:
    tried, verdict = World(route("m", "a")).play(error)
    assert (tried, verdict) == (["a"] * tries, error)


def test_a_retry_waits_a_random_part_of_a_doubling_pause() -> None:
    waits: list[list[float]] = [[], []]
    world = World(route("m", "a", retry=Retry(attempts=3, per_target=3, budget=2.0)))
    for _ in range(1000):
        plan = world.plan()
        plan.failed(must(plan.next(world.now)), uncounted(), world.now)
        for seen in waits:
            attempt = must(plan.next(world.now))
            seen.append(attempt.wait_s)
            plan.failed(attempt, uncounted(), world.now)
    for seen, most in zip(waits, (0.25, 0.5), strict=True):
        assert 0 <= min(seen) < 0.02 * most
        assert 0.98 * most < max(seen) <= most


def test_t70_a_retry_waits_as_long_as_the_provider_asks() -> None:
    world = World(route("m", "a"))
    plan = world.plan()
    plan.failed(must(plan.next(world.now)), Throttled("x", retry_after_s=1.5), world.now)
    assert must(plan.next(world.now)).wait_s == 1.5


def test_nothing_is_waited_for_beyond_the_total_time() -> None:
    world = World(route("m", "a", timeouts=Timeouts(total_s=1.0)))
    assert world.play(Throttled("x", retry_after_s=1.5))[0] == ["a"]


def test_attempts_are_counted_over_all_targets() -> None:
    world = World(route("m", "a", fallbacks=[group("b"), group("c"), group("d")]))
    error = Failed("x")
    assert world.play(error) == (["a", "b", "c"], error)


def test_a_chain_that_is_through_begins_again_with_what_can_be_retried() -> None:
    world = World(route("m", "a", fallbacks=[group("b")], retry=Retry(attempts=9, per_target=2)))
    tried, _ = world.play(TimedOut("x", phase="first_byte"), Failed("x"))
    assert tried == ["a", "b", "b"]


def test_other_targets_of_a_group_come_before_its_fallbacks() -> None:
    world = World(route("m", "a*9", "b*1", fallbacks=[group("c")]))
    for _ in range(20):
        tried, _ = world.play(Throttled("x", retry_after_s=1.0), Throttled("x", retry_after_s=1.0), None)
        assert (set(tried[:2]), tried[2]) == ({"a", "b"}, "c")
        world.now += 10


CONDITIONS = (
    route("plain", "a", fallbacks=[group("b"), group("c", on=("context_length",)), group("d")]),
    route("late", "a", fallbacks=[group("c", on=("context_length",)), group("b")]),
    route(
        "both",
        "a",
        fallbacks=[group("c", on=("content_policy",)), group("d", on=("content_policy", "context_length"))],
    ),
    route(
        "apart",
        "a",
        fallbacks=[
            group("c", on=("content_policy",)),
            group("d", on=("content_policy",)),
            group("e", on=("context_length",)),
        ],
    ),
    route("through", "a", fallbacks=[reference("target", on=("context_length",)), group("z")]),
    route("target", "t", fallbacks=[group("u")]),
)


@pytest.mark.parametrize(
    ("model", "errors", "tried"),
    [
        ("plain", [_too_long(), None], "ac"),
        ("plain", [_filtered(), None], "a"),
        ("plain", [_too_long(), Failed("x"), None], "acc"),
        ("plain", [Failed("x"), _too_long(), None], "abc"),
        ("late", [Failed("x"), _too_long(), None], "abc"),
        ("late", [Failed("x"), None], "ab"),
        ("both", [_filtered(), _too_long(), None], "acd"),
        ("both", [_filtered(), _filtered(), None], "acd"),
        ("both", [_too_long(), None], "ad"),
        ("apart", [_filtered(), _too_long(), None], "ace"),
        ("both", [_too_long(), _too_long()], "ad"),
        ("both", [Failed("x"), Failed("x")], "aa"),
        ("through", [_too_long(), Failed("x"), None], "atu"),
        ("through", [Failed("x"), None], "az"),
    ],
)
def test_a_condition_leads_only_to_the_groups_that_ask_for_it(
    model: str, errors: list[UpstreamError | None], tried: str
) -> None:
    got, _ = World(*CONDITIONS).play(*errors, model=model)
    assert "".join(got) == tried


def test_a_condition_does_not_lead_to_the_other_targets_of_its_group() -> None:
    world = World(route("m", "a/1", "a/2", fallbacks=[group("c/1", "c/2", on=("context_length",))]))
    assert world.play(_too_long(), _too_long(), None)[0] == ["a", "c", "c"]


def test_a_refused_key_is_followed_by_another_of_the_same_target() -> None:
    world = World(route("m", "a", fallbacks=[group("b")]), keys=2)
    plan = world.plan()
    first = must(plan.next(world.now))
    plan.failed(first, KeyRefused("x"), world.now)
    second = must(plan.next(world.now))
    assert (second.target.provider, second.number, second.wait_s) == ("a", 2, 0.0)
    assert second.key != first.key
    plan.failed(second, KeyRefused("x"), world.now)
    assert must(plan.next(world.now)).target.provider == "b"


def test_the_next_key_counts_as_a_try_of_its_target() -> None:
    world = World(route("m", "a", fallbacks=[group("b")]), keys=5)
    assert world.play(KeyRefused("x"), KeyRefused("x"), None)[0] == ["a", "a", "b"]


def test_the_next_key_is_a_retry_that_the_budget_must_allow() -> None:
    world = World(route("m", "a", fallbacks=[group("b")], retry=Retry(budget=0.0)), keys=2)
    assert world.play(KeyRefused("x"), None)[0] == ["a", "b"]


def test_a_throttled_key_leaves_the_other_key_to_a_target_that_is_alone() -> None:
    world = World(route("m", "a"), keys=2)
    plan = world.plan()
    first = must(plan.next(world.now))
    plan.failed(first, Throttled("x", retry_after_s=300.0), world.now)
    second = must(plan.next(world.now))
    assert (second.wait_s, second.key != first.key) == (0.0, True)


def test_an_attempt_leaves_time_for_the_targets_behind_it() -> None:
    world = World(route("m", "a", fallbacks=[group("b")], timeouts=Timeouts(total_s=100.0)))
    plan = world.plan()
    first = must(plan.next(1000.0))
    assert (first.deadline, first.is_last) == (1060.0, False)
    plan.failed(first, TimedOut("x", phase="first_byte"), 1050.0)
    second = must(plan.next(1050.0))
    assert (second.deadline, second.is_last) == (1100.0, True)


def test_a_target_that_cannot_be_tried_takes_no_time_from_the_others() -> None:
    world = World(
        route("one", "a", fallbacks=[group("b")], retry=Retry(attempts=1)),
        route("gated", "a", fallbacks=[group("b", on=("context_length",))]),
    )
    for model in ("one", "gated"):
        assert must(world.plan(model).next(world.now)).deadline == world.now + 900


def test_an_attempt_that_used_up_its_share_falls_back() -> None:
    world = World(route("m", "a", fallbacks=[group("b")], timeouts=Timeouts(total_s=100.0)))
    plan = world.plan()
    plan.failed(must(plan.next(1000.0)), TimedOut("x", phase="total"), 1060.0)
    last = must(plan.next(1060.0))
    assert last.target.provider == "b"
    over = TimedOut("x", phase="total")
    plan.failed(last, over, 1100.0)
    assert plan.next(1100.0) is None
    assert plan.verdict(1100.0) is over


def test_nothing_is_begun_after_the_total_time() -> None:
    world = World(route("m", "a", timeouts=Timeouts(total_s=10.0)))
    plan = world.plan()
    assert plan.next(1010.0) is None
    verdict = plan.verdict(1010.0)
    assert (verdict.status, verdict.code) == (504, "deadline_exceeded")


@pytest.mark.parametrize("end", ["spoke", "cancelled", "succeeded"])
def test_t35_after_the_first_content_or_the_callers_leave_nothing_is_tried(end: str) -> None:
    world = World(route("m", "a", fallbacks=[group("b")]))
    plan = world.plan()
    attempt = must(plan.next(world.now))
    if end == "cancelled":
        plan.cancelled(attempt)
    else:
        getattr(plan, end)(attempt, world.now, 0.1)
    plan.failed(attempt, Interrupted("x"), world.now)
    assert plan.next(world.now) is None


def test_a_route_with_everything_off_says_so() -> None:
    tried, verdict = World(route("m", "a"), off=["a"]).play(None)
    assert tried == []
    assert isinstance(verdict, Unavailable)
    assert (verdict.status, verdict.code, "switched off" in verdict.message) == (503, "no_healthy_upstream", True)
    assert verdict.retry_after_s


def test_the_caller_is_told_the_shortest_wait_that_is_still_to_come() -> None:
    world = World(route("m", "a", fallbacks=[group("b"), group("c")]))
    plan = world.plan()
    for error, at in [
        (Throttled("x", retry_after_s=1.0), 1000.0),
        (Throttled("x", retry_after_s=30.0), 1005.0),
        (Throttled("x", retry_after_s=300.0), 1010.0),
    ]:
        plan.failed(must(plan.next(at)), error, at)
    assert plan.next(1010.0) is None
    assert plan.verdict(1010.0).retry_after_s == 25.0


@pytest.mark.parametrize(("hint", "told"), [(86400.0, 600.0), (None, 15.0), (7.0, 7.0)])
def test_a_throttled_caller_is_always_told_when_to_come_back(hint: float | None, told: float) -> None:
    _, verdict = World(route("m", "a")).play(Throttled("x", retry_after_s=hint))
    assert verdict is not None
    assert (verdict.status, verdict.retry_after_s) == (429, told)
