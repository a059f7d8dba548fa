from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import LimitExceeded
from gaiarouter.limits.base import Window
from gaiarouter.limits.memory import MemoryLease, MemoryLimiter

NONE = Limits(requests=None, tokens=None, concurrent=None)
TEN_A_MINUTE = replace(NONE, requests=Rate(10, 60.0))
THOUSAND_TOKENS = replace(NONE, tokens=Rate(1000, 60.0))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> MemoryLimiter:
    return MemoryLimiter(clock)


def _admitted(limiter: MemoryLimiter, limits: Limits, *, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limiter.admit("key_1", "alice", limits)
        except LimitExceeded:
            continue
        count += 1
    return count


def _refusal(limiter: MemoryLimiter, limits: Limits) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        limiter.admit("key_1", "alice", limits)
    return caught.value


@pytest.mark.parametrize("amount", [1, 7, 600, 999])
def test_a_whole_limit_may_be_used_at_once_and_no_more(limiter: MemoryLimiter, amount: int) -> None:
    assert _admitted(limiter, replace(NONE, requests=Rate(amount, 60.0)), tries=amount + 5) == amount


def test_after_that_requests_come_back_at_the_limit_s_rate(limiter: MemoryLimiter, clock: Clock) -> None:
    assert _admitted(limiter, TEN_A_MINUTE, tries=20) == 10
    clock.now += 5.9
    assert _admitted(limiter, TEN_A_MINUTE, tries=20) == 0
    clock.now += 0.1
    assert _admitted(limiter, TEN_A_MINUTE, tries=20) == 1
    clock.now += 3600
    assert _admitted(limiter, TEN_A_MINUTE, tries=20) == 10


@given(
    rate=st.builds(Rate, st.integers(1, 50), st.sampled_from([1.0, 60.0, 3600.0])),
    gaps=st.lists(st.floats(0, 5), max_size=150),
)
def test_in_no_span_of_time_more_than_the_limit_and_what_the_rate_adds(rate: Rate, gaps: list[float]) -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock)
    times = []
    for gap in gaps:
        clock.now += gap * rate.per_s / rate.amount
        if _admitted(limiter, replace(NONE, requests=rate), tries=1):
            times.append(clock.now)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            span = times[last] - start
            assert last - first + 1 <= rate.amount + span * rate.amount / rate.per_s + 1e-3


@given(gaps=st.lists(st.floats(0, 10), min_size=1, max_size=60))
def test_who_waits_as_long_as_it_was_told_is_admitted(gaps: list[float]) -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock)
    for gap in gaps:
        clock.now += gap
        _admitted(limiter, TEN_A_MINUTE, tries=11)
        wait_s = _refusal(limiter, TEN_A_MINUTE).retry_after_s
        assert wait_s is not None
        assert 0 < wait_s <= 6.0 + 1e-6
        clock.now += wait_s
        assert _admitted(limiter, TEN_A_MINUTE, tries=1) == 1


def test_keys_do_not_share_their_limits(limiter: MemoryLimiter) -> None:
    _admitted(limiter, TEN_A_MINUTE, tries=11)
    limiter.admit("key_2", "bob", TEN_A_MINUTE)


def test_without_limits_nothing_is_refused_and_nothing_shown(limiter: MemoryLimiter) -> None:
    for _ in range(1000):
        lease = limiter.admit("key_1", "alice", NONE)
        lease.reserve_tokens(10**9)
        assert (lease.requests, lease.tokens) == (None, None)


def test_as_many_run_at_once_as_the_limit_says(limiter: MemoryLimiter) -> None:
    limits = replace(NONE, concurrent=3)
    leases = [limiter.admit("key_1", "alice", limits) for _ in range(3)]
    assert _admitted(limiter, limits, tries=1) == 0
    leases[0].settle(None)
    leases[0].settle(None)
    assert _admitted(limiter, limits, tries=5) == 1


def test_a_refused_request_has_taken_nothing(limiter: MemoryLimiter) -> None:
    limits = replace(TEN_A_MINUTE, concurrent=1)
    lease = limiter.admit("key_1", "alice", limits)
    for _ in range(50):
        _refusal(limiter, limits)
    assert lease.requests == Window(10, 9, pytest.approx(6.0))
    lease.settle(None)
    for _ in range(9):
        limiter.admit("key_1", "alice", limits).settle(None)
    _refusal(limiter, limits)
    assert _admitted(limiter, replace(limits, requests=None), tries=1) == 1


@pytest.mark.parametrize(
    ("limits", "words", "retry_after_s"),
    [
        (TEN_A_MINUTE, ["'alice'", "10 requests per minute", "Try again in 6 s", "resets in 60 s"], 6.0),
        (replace(NONE, requests=Rate(2, 1.0)), ["2 requests per second", "Try again in 0.5 s"], 0.5),
        (replace(NONE, requests=Rate(2, 90.0)), ["2 requests per 90 s", "Try again in 45 s", "resets in 90 s"], 45.0),
        (replace(NONE, requests=Rate(0, 60.0)), ["0 requests per minute", "None are allowed"], None),
        (replace(NONE, concurrent=2), ["'alice'", "2 concurrent requests", "when a running request ends"], 1.0),
        (replace(NONE, concurrent=0), ["0 concurrent requests"], 1.0),
    ],
)
def test_a_refusal_names_the_limit_whose_it_is_and_when_it_resets(
    limiter: MemoryLimiter, limits: Limits, words: list[str], retry_after_s: float | None
) -> None:
    _admitted(limiter, limits, tries=10)
    error = _refusal(limiter, limits)
    assert [word for word in words if word not in error.message] == []
    assert (error.status, error.code) == (429, "rate_limit_exceeded")
    assert error.retry_after_s == (None if retry_after_s is None else pytest.approx(retry_after_s))


def test_a_refusal_for_tokens_says_so(limiter: MemoryLimiter) -> None:
    limiter.admit("key_1", "alice", THOUSAND_TOKENS).reserve_tokens(900)
    with pytest.raises(LimitExceeded, match="'alice': 1000 tokens per minute") as caught:
        limiter.admit("key_1", "alice", THOUSAND_TOKENS).reserve_tokens(200)
    assert caught.value.retry_after_s == pytest.approx(6.0)


def test_the_windows_are_right_at_every_moment(limiter: MemoryLimiter, clock: Clock) -> None:
    lease = limiter.admit("key_1", "alice", replace(TEN_A_MINUTE, tokens=Rate(1000, 60.0)))
    assert lease.requests == Window(10, 9, pytest.approx(6.0))
    assert lease.tokens == Window(1000, 1000, 0.0)
    lease.reserve_tokens(600)
    assert lease.tokens == Window(1000, 400, pytest.approx(36.0))
    clock.now += 3
    assert lease.requests == Window(10, 9, pytest.approx(3.0))
    assert lease.tokens == Window(1000, 450, pytest.approx(33.0))
    clock.now += 1000
    assert lease.requests == Window(10, 10, 0.0)
    assert lease.tokens == Window(1000, 1000, 0.0)


def test_real_tokens_replace_the_reserved(limiter: MemoryLimiter) -> None:
    lease = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    lease.reserve_tokens(900)
    lease.settle(100)
    lease.settle(100)
    assert lease.tokens == Window(1000, 900, pytest.approx(6.0))


def test_more_tokens_than_reserved_are_a_debt_that_later_requests_wait_for(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    lease = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    lease.reserve_tokens(100)
    lease.settle(2000)
    assert lease.tokens == Window(1000, 0, pytest.approx(120.0))
    clock.now += 60
    later = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    with pytest.raises(LimitExceeded) as caught:
        later.reserve_tokens(500)
    assert caught.value.retry_after_s == pytest.approx(30.0)
    clock.now += 30
    later.reserve_tokens(500)


def test_tokens_without_a_reservation_are_counted_too(limiter: MemoryLimiter) -> None:
    lease = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    lease.settle(300)
    assert lease.tokens == Window(1000, 700, pytest.approx(18.0))


def test_a_refused_reservation_holds_nothing_and_the_lease_goes_on(limiter: MemoryLimiter) -> None:
    limits = replace(THOUSAND_TOKENS, concurrent=1)
    lease = limiter.admit("key_1", "alice", limits)
    with pytest.raises(LimitExceeded):
        lease.reserve_tokens(1001)
    assert lease.tokens == Window(1000, 1000, 0.0)
    _refusal(limiter, limits)
    lease.settle(None)
    limiter.admit("key_1", "alice", limits).reserve_tokens(1000)


def test_a_request_larger_than_the_whole_window_is_told_that_waiting_does_not_help(limiter: MemoryLimiter) -> None:
    with pytest.raises(
        LimitExceeded, match=r"1000 tokens per minute.* may need 1001: .*waiting does not help"
    ) as caught:
        limiter.admit("key_1", "alice", THOUSAND_TOKENS).reserve_tokens(1001)
    assert caught.value.retry_after_s is None


def test_tokens_are_reserved_once_a_lease(limiter: MemoryLimiter) -> None:
    lease = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    lease.reserve_tokens(1)
    with pytest.raises(RuntimeError):
        lease.reserve_tokens(1)


def test_what_time_has_freed_is_not_given_back_again(limiter: MemoryLimiter, clock: Clock) -> None:
    unused = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    unused.reserve_tokens(1000)
    clock.now += 30
    used = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    used.reserve_tokens(500)
    unused.settle(None)
    used.settle(500)
    assert used.tokens == Window(1000, 500, pytest.approx(30.0))


def test_a_reservation_moves_up_when_one_before_it_is_given_back(limiter: MemoryLimiter, clock: Clock) -> None:
    first, second, third = (limiter.admit("key_1", "alice", THOUSAND_TOKENS) for _ in range(3))
    first.reserve_tokens(500)
    second.reserve_tokens(500)
    first.settle(None)
    clock.now += 30
    third.reserve_tokens(500)
    second.settle(None)
    assert third.tokens == Window(1000, 500, pytest.approx(30.0))


def test_of_a_reservation_in_a_busy_window_all_that_is_unused_comes_back(limiter: MemoryLimiter, clock: Clock) -> None:
    limiter.admit("key_1", "alice", THOUSAND_TOKENS).settle(500)
    unused = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    unused.reserve_tokens(500)
    clock.now += 30
    unused.settle(None)
    assert unused.tokens == Window(1000, 1000, 0.0)


def test_a_changed_limit_keeps_what_has_been_used(limiter: MemoryLimiter) -> None:
    _admitted(limiter, TEN_A_MINUTE, tries=10)
    assert _admitted(limiter, replace(NONE, requests=Rate(12, 60.0)), tries=10) == 2
    assert _admitted(limiter, replace(NONE, requests=Rate(5, 60.0)), tries=10) == 0


@pytest.mark.parametrize(
    ("limits", "share", "admitted"),
    [
        (TEN_A_MINUTE, 2, 5),
        (TEN_A_MINUTE, 4, 2),
        (TEN_A_MINUTE, 20, 1),
        (replace(NONE, concurrent=10), 4, 2),
        (replace(NONE, concurrent=2), 4, 1),
    ],
)
def test_a_process_takes_its_share_but_always_one(clock: Clock, limits: Limits, share: int, admitted: int) -> None:
    assert _admitted(MemoryLimiter(clock, share=share), limits, tries=20) == admitted


def test_a_share_s_window_is_shown_as_the_whole(clock: Clock) -> None:
    lease = MemoryLimiter(clock, share=2).admit("key_1", "alice", TEN_A_MINUTE)
    assert lease.requests == Window(10, 8, pytest.approx(12.0))


def test_a_request_within_the_limit_but_over_the_share_waits_for_an_untouched_window(clock: Clock) -> None:
    limiter = MemoryLimiter(clock, share=4)
    limiter.admit("key_1", "alice", THOUSAND_TOKENS).reserve_tokens(800)
    lease = limiter.admit("key_1", "alice", THOUSAND_TOKENS)
    with pytest.raises(LimitExceeded) as caught:
        lease.reserve_tokens(800)
    assert caught.value.retry_after_s == pytest.approx(800 / (1000 / 4 / 60))
    assert caught.value.retry_after_s is not None
    clock.now += caught.value.retry_after_s
    lease.reserve_tokens(800)


def test_keys_that_are_idle_leave_memory(limiter: MemoryLimiter, clock: Clock) -> None:
    running = limiter.admit("key_runs", "runs", TEN_A_MINUTE)
    for number in range(5000):
        clock.now += 1
        limiter.admit(f"key_{number}", "n", TEN_A_MINUTE).settle(None)
    assert len(limiter) < 50
    assert limiter.admit("key_runs", "runs", replace(NONE, concurrent=2)) is not None
    with pytest.raises(LimitExceeded):
        limiter.admit("key_runs", "runs", replace(NONE, concurrent=2))
    running.settle(None)


class Leases(RuleBasedStateMachine):
    """Admit, reserve, settle and let time pass in any order."""

    limits = Limits(requests=None, tokens=Rate(100, 10.0), concurrent=4)

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.limiter = MemoryLimiter(self.clock)
        self.open: list[tuple[MemoryLease, int, float]] = []
        self.used: list[tuple[float, int]] = []
        self.probe = self.limiter.admit("key_1", "alice", self.limits)

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(tokens=st.integers(0, 100))
    def request_comes(self, tokens: int) -> None:
        try:
            lease = self.limiter.admit("key_1", "alice", self.limits)
        except LimitExceeded:
            assert len(self.open) == 3
            return
        assert len(self.open) < 3
        try:
            lease.reserve_tokens(tokens)
        except LimitExceeded:
            lease.settle(None)
            return
        self.open.append((lease, tokens, self.clock.now))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def request_ends(self, data: st.DataObject) -> None:
        lease, reserved, since = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        tokens = data.draw(st.none() | st.integers(0, reserved))
        lease.settle(tokens)
        lease.settle(reserved)
        self.used.append((since, tokens or 0))

    @invariant()
    def no_span_holds_more_than_limit_and_rate(self) -> None:
        taken = sorted(self.used + [(since, reserved) for _, reserved, since in self.open])
        for first in range(len(taken)):
            total = 0
            for since, tokens in taken[first:]:
                total += tokens
                assert total <= 100 + (since - taken[first][0]) * 10 + 1e-3

    def teardown(self) -> None:
        """Nothing leaks: once all has ended and time has passed, the window is whole and every slot free."""
        for lease, _, _ in self.open:
            lease.settle(None)
        self.clock.now += 100
        assert self.probe.tokens == Window(100, 100, 0.0)
        self.probe.settle(None)
        assert _admitted(self.limiter, self.limits, tries=10) == 4


TestLeases = Leases.TestCase
