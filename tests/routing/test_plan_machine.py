"""Requests of all kinds at once on one health: whatever happens in whatever order, the rules of attempts hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from gaiarouter.config.settings import Breaker, Retry, Timeouts
from gaiarouter.errors import (
    Failed,
    GatewayError,
    KeyRefused,
    Overloaded,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from gaiarouter.routing.attempts import Attempt, Plan
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.table import Table
from tests.routing.build import group, reference, route, settings

RETRY = Retry(attempts=4, per_target=2, budget=0.5)
TIMEOUTS = Timeouts(total_s=60.0)
ROUTES = (
    route("alone", "a", retry=RETRY, timeouts=TIMEOUTS, breaker=Breaker(failures=2, cooldown_s=5.0)),
    route(
        "chain",
        "a/alone*3",
        "b",
        fallbacks=[group("c", on=("context_length",)), reference("quick"), group("a/last")],
        retry=RETRY,
        timeouts=TIMEOUTS,
        breaker=Breaker(failures=2, cooldown_s=5.0),
    ),
    route("quick", "b", "c", balance="least_latency"),
)
SETTINGS = settings(*ROUTES, keys=2)
TABLE = Table(SETTINGS)

ERRORS = st.one_of(
    st.builds(lambda: Failed("x")),
    st.builds(lambda: Unreachable("x")),
    st.builds(lambda: KeyRefused("x")),
    st.builds(lambda: TimedOut("x", phase="first_byte")),
    st.builds(lambda: TimedOut("x", phase="total")),
    st.builds(lambda: Rejected("x", status=400)),
    st.builds(lambda: Rejected("x", status=400, condition="context_length")),
    st.builds(lambda hint: Throttled("x", retry_after_s=hint), st.sampled_from([None, 0.5, 1.5, 30.0])),
    st.builds(lambda hint: Overloaded("x", retry_after_s=hint), st.sampled_from([None, 1.0, 30.0])),
)


@dataclass(eq=False)
class Request:
    plan: Plan
    began: float
    attempts: list[Attempt] = field(default_factory=list)
    errors: list[UpstreamError] = field(default_factory=list)
    live: bool = False


class Gateway(RuleBasedStateMachine):
    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.health, self.rng, self.now = Health(), Random(7), 0.0
        self.all: list[Request] = []

    @rule(target=requests, model=st.sampled_from(["alone", "chain"]))
    def arrives(self, model: str) -> Request:
        match = TABLE.match(model)
        assert match is not None
        request = Request(Plan(match, SETTINGS.providers, self.health, self.rng, self.now), self.now)
        self.all.append(request)
        return request

    @rule(seconds=st.floats(0.0, 20.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(request=requests)
    def tries(self, request: Request) -> None:
        if request.live:
            return
        attempt = request.plan.next(self.now)
        if attempt is None:
            self._gives_up(request)
            return
        self._keeps_the_rules(request, attempt)
        request.attempts.append(attempt)
        request.live = True

    @rule(request=requests, error=ERRORS, twice=st.booleans())
    def fails(self, request: Request, error: UpstreamError, twice: bool) -> None:
        if request.live:
            request.live = False
            request.errors.append(error)
            for _ in range(1 + twice):
                request.plan.failed(request.attempts[-1], error, self.now)

    @rule(request=requests)
    def speaks(self, request: Request) -> None:
        if request.live:
            request.plan.spoke(request.attempts[-1], self.now, 0.2)

    @rule(request=consumes(requests))
    def succeeds(self, request: Request) -> None:
        if request.live:
            request.live = False
            request.plan.succeeded(request.attempts[-1], self.now, 0.2)
            assert request.plan.next(self.now) is None

    @rule(request=consumes(requests))
    def hangs_up(self, request: Request) -> None:
        if request.live:
            request.live = False
            request.plan.cancelled(request.attempts[-1])
            assert request.plan.next(self.now) is None

    @invariant()
    def what_is_in_flight_is_what_lives(self) -> None:
        flying = sum(target.in_flight for target in self.health.snapshot(self.now))
        assert flying == sum(request.live for request in self.all)

    @invariant()
    def no_probe_is_left_behind(self) -> None:
        if not any(request.live for request in self.all):
            for record in self.health._targets.values():
                assert record.circuit.probe == 0

    def _keeps_the_rules(self, request: Request, attempt: Attempt) -> None:
        before = request.attempts
        assert attempt.number == len(before) + 1 <= RETRY.attempts
        assert sum(one.target.id == attempt.target.id for one in before) < RETRY.per_target
        assert attempt.wait_s >= 0
        assert self.now + attempt.wait_s < request.began + TIMEOUTS.total_s
        assert self.now + attempt.wait_s < attempt.deadline <= request.began + TIMEOUTS.total_s
        assert attempt.is_last == (attempt.deadline == request.plan.deadline)
        if not before:
            assert attempt.wait_s == 0
            return
        last, error = before[-1], request.errors[-1]
        assert attempt.deadline >= last.deadline
        assert not isinstance(error, Rejected) or error.condition is not None
        if attempt.target.id in [one.target.id for one in before]:
            ended = [e for one, e in zip(before, request.errors, strict=True) if one.target.id == attempt.target.id][-1]
            assert ended.retryable or (isinstance(ended, KeyRefused) and attempt.key != last.key)
        else:
            assert attempt.wait_s == 0
        reached = {"c"} if any(e.condition for e in request.errors) else {"a", "b", "c"}
        assert attempt.target.provider in reached

    def _gives_up(self, request: Request) -> None:
        verdict = request.plan.verdict(self.now)
        assert isinstance(verdict, GatewayError)
        if verdict.status in (429, 503):
            assert verdict.retry_after_s is not None
            assert 1 <= verdict.retry_after_s <= 600
        if request.errors:
            assert verdict is request.errors[-1]


TestGateway = Gateway.TestCase
TestGateway.settings = budget(max_examples=150, stateful_step_count=40, deadline=None)
