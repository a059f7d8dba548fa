"""A request takes its place before its body is read, and gives it back exactly once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import InvalidRequest, LimitExceeded
from gaiarouter.limits.base import Lease, Window
from gaiarouter.limits.together import Together
from gaiarouter.pipeline import RateLimit
from gaiarouter.pipeline.aside import Here
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.store.base import ApiKey
from gaiarouter.store.records import Organization
from tests.pipeline.scripted import BODY, LIMITS, Clock, exchange, limiter

UNLIMITED = Limits(requests=None, tokens=None, concurrent=None)


class NotedLease:
    requests: Window | None = None
    tokens: Window | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[str, int | None]] = []

    def reserve_tokens(self, tokens: int) -> None:
        self.calls.append(("reserve", tokens))

    def settle(self, tokens: int | None) -> None:
        self.calls.append(("settle", tokens))


class NotingLimiter:
    def __init__(self) -> None:
        self.lease = NotedLease()
        self.admitted: list[tuple[str, str, Limits]] = []

    def admit(self, holder: str, name: str, limits: Limits, *, kind: str = "key") -> Lease:
        self.admitted.append((holder, name, limits))
        return self.lease


async def test_the_estimate_is_reserved_and_the_real_number_settled() -> None:
    notes = NotingLimiter()
    stage = RateLimit(notes, aside=Here(), default=UNLIMITED)
    made = exchange(Clock(), BODY[:-1] + b',"max_tokens":50}')
    await stage.request(made)
    assert made.request is not None
    made.usage = Usage(in_uncached=7, in_cache_read=2, out_visible=3, out_reasoning=1)
    stage.finish(made)
    estimate = made.request.estimated_input_tokens()
    assert notes.lease.calls == [("reserve", estimate + 50), ("settle", 13)]


async def test_without_usage_everything_is_given_back() -> None:
    notes = NotingLimiter()
    stage = RateLimit(notes, aside=Here(), default=UNLIMITED)
    made = exchange(Clock())
    await stage.request(made)
    stage.finish(made)
    assert notes.lease.calls[-1] == ("settle", None)


async def test_a_request_that_was_never_admitted_settles_nothing() -> None:
    notes = NotingLimiter()
    RateLimit(notes, aside=Here(), default=UNLIMITED).finish(exchange(Clock()))
    assert notes.lease.calls == []


@pytest.mark.parametrize(
    ("own", "used"), [(LIMITS, LIMITS), (None, UNLIMITED)], ids=["its own limits", "the default's"]
)
async def test_a_keys_own_limits_go_before_the_default(own: Limits | None, used: Limits) -> None:
    notes = NotingLimiter()
    made = exchange(Clock())
    made.key = ApiKey(id="key_1", name="alice", secret_hash=b"", created_us=0, limits=own)
    await RateLimit(notes, aside=Here(), default=UNLIMITED).request(made)
    assert notes.admitted == [("key_1", "alice", used)]


async def test_callers_without_a_key_share_one_limit() -> None:
    notes = NotingLimiter()
    await RateLimit(notes, aside=Here(), default=LIMITS).request(exchange(Clock()))
    assert notes.admitted == [("anonymous", "anonymous", LIMITS)]


async def test_the_body_of_a_refused_request_is_not_read() -> None:
    read: list[bool] = []
    clock = Clock()
    stage = RateLimit(
        limiter(clock), aside=Here(), default=Limits(requests=Rate(1, 60.0), tokens=None, concurrent=None)
    )
    first, second = (exchange(clock, receive=lambda: read.append(True)) for _ in range(2))
    await stage.request(first)
    with pytest.raises(LimitExceeded):
        await stage.request(second)
    assert read == [True]
    assert second.lease is None


@pytest.mark.parametrize("body", [b"{nope", b"[]"])
async def test_the_slot_of_a_broken_body_is_given_back(body: bytes) -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=Limits(requests=None, tokens=None, concurrent=1))
    for _ in range(3):
        made = exchange(clock, body)
        with pytest.raises(InvalidRequest):
            await stage.request(made)
        stage.finish(made)
        stage.finish(made)


@pytest.mark.parametrize("fault", [asyncio.CancelledError(), RuntimeError("bug")])
async def test_the_slot_of_a_caller_that_leaves_in_its_body_is_given_back(fault: BaseException) -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=Limits(requests=None, tokens=None, concurrent=1))

    def leave() -> None:
        raise fault

    for _ in range(2):
        made = exchange(clock, receive=leave)
        with pytest.raises(type(fault)):
            await stage.request(made)
        stage.finish(made)


async def test_a_request_that_is_too_large_keeps_nothing_of_the_window() -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=Limits(requests=None, tokens=Rate(100, 60.0), concurrent=1))
    large = exchange(clock, BODY[:-1] + b',"max_tokens":500}')
    with pytest.raises(LimitExceeded):
        await stage.request(large)
    stage.finish(large)
    small = exchange(clock)
    await stage.request(small)
    assert small.lease is not None
    assert small.lease.tokens is not None
    assert small.lease.tokens.remaining > 0


@pytest.mark.parametrize("sent", ["-1", "-1000000000000"])
async def test_a_negative_bound_of_the_output_does_not_make_the_window_larger(sent: str) -> None:
    notes = NotingLimiter()
    made = exchange(Clock(), BODY[:-1] + b',"max_tokens":' + sent.encode() + b"}")
    await RateLimit(notes, aside=Here(), default=UNLIMITED).request(made)
    assert made.request is not None
    assert notes.lease.calls == [("reserve", made.request.estimated_input_tokens())]


async def test_a_bound_of_hundreds_of_digits_is_reserved_and_settled() -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=UNLIMITED)
    made = exchange(clock, BODY[:-1] + b',"max_tokens":' + b"9" * 400 + b"}")
    await stage.request(made)
    stage.finish(made)
    made = exchange(clock, BODY[:-1] + b',"max_tokens":' + b"9" * 400 + b"}")
    with pytest.raises(LimitExceeded) as caught:
        await RateLimit(limiter(clock), aside=Here(), default=Limits(None, Rate(100, 60.0), None)).request(made)
    assert len(caught.value.message) < 200


def _tenants(made: Exchange, shared: Limits, *, key_id: str = "key_1") -> Exchange:
    tenant = Organization("org_1", "Acme", 0, 0, limits=shared)
    made.key = ApiKey(key_id, "alice", b"", 0, limits=UNLIMITED, organization="org_1", tenant=tenant)
    return made


async def test_the_limits_of_an_organization_hold_for_its_keys_in_all() -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=UNLIMITED)
    shared = replace(UNLIMITED, concurrent=2)
    running = [_tenants(exchange(clock), shared, key_id=f"key_{number}") for number in range(3)]
    await stage.request(running[0])
    await stage.request(running[1])
    with pytest.raises(LimitExceeded, match="organization 'Acme': 2 concurrent"):
        await stage.request(running[2])
    stage.finish(running[2])
    stage.finish(running[0])
    await stage.request(running[2])
    for made in running[1:]:
        stage.finish(made)


async def test_what_the_organization_refuses_takes_no_place_of_the_key() -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=UNLIMITED)
    full = _tenants(exchange(clock), replace(UNLIMITED, requests=Rate(0, 60.0)))
    assert full.key is not None
    full.key = replace(full.key, limits=replace(UNLIMITED, concurrent=1))
    for _ in range(2):
        with pytest.raises(LimitExceeded, match="organization"):
            await stage.request(full)
        stage.finish(full)
    free = exchange(clock)
    free.key = replace(full.key, tenant=None)
    await stage.request(free)
    stage.finish(free)


async def test_tokens_are_taken_from_both_and_given_back_to_both() -> None:
    clock = Clock()
    stage = RateLimit(limiter(clock), aside=Here(), default=UNLIMITED)
    body = BODY[:-1] + b',"max_tokens":500}'
    shared = replace(UNLIMITED, tokens=Rate(800, 60.0))
    first = _tenants(exchange(clock, body), shared)
    await stage.request(first)
    second = _tenants(exchange(clock, body), shared, key_id="key_2")
    with pytest.raises(LimitExceeded, match="organization 'Acme': 800 tokens"):
        await stage.request(second)
    stage.finish(second)
    stage.finish(first)
    again = _tenants(exchange(clock, body), shared)
    await stage.request(again)
    stage.finish(again)


@pytest.mark.parametrize(
    ("own", "tenants", "shown"),
    [(None, None, None), (5, None, 5), (None, 5, 5), (5, 3, 3), (3, 5, 3)],
)
def test_of_two_windows_the_tighter_is_shown(own: int | None, tenants: int | None, shown: int | None) -> None:
    leases = []
    for remaining in (own, tenants):
        lease = NotedLease()
        lease.requests = lease.tokens = None if remaining is None else Window(9, remaining, 1.0)
        leases.append(lease)
    both = Together(*leases)
    for window in (both.requests, both.tokens):
        assert (window and window.remaining) == shown
