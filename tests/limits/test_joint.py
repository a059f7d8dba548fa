"""Limits over several processes: two of everything, which share nothing but the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import LimitExceeded
from gaiarouter.limits.base import Lease, Window
from gaiarouter.limits.joint import Holder, Scripts, SharedLimits
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.store.base import StorageUnavailable
from gaiarouter.store.redis import RedisScripts
from gaiarouter.telemetry import Metrics
from tests.limits.valkey_server import ValkeyServer
from tests.support.upstream import BOUND_S

NONE = Limits(requests=None, tokens=None, concurrent=None)
DAY = 86_400.0


class NoLease:
    """What this process alone has taken: nothing."""

    requests: Window | None = None
    tokens: Window | None = None

    def reserve_tokens(self, tokens: int) -> None: ...

    def settle(self, tokens: int | None) -> None: ...


class Process:
    """One that shares its limits with others. `monotonic` is set by the test."""

    def __init__(self, valkey: ValkeyServer, *, share: int = 2, slot_s: float = 20.0) -> None:
        self.metrics = Metrics()
        self.monotonic = 0.0
        fallback = MemoryLimiter(lambda: self.monotonic, share=share)
        scripts = RedisScripts(Secret(f"{valkey.url}?socket_timeout=30&socket_connect_timeout=30"))
        self.limits = SharedLimits(scripts, fallback, self.metrics, lambda: self.monotonic, slot_s=slot_s)

    async def claim(self, *holders: Holder, tokens: int = 0) -> Lease:
        return await self.limits.claim(uuid4().hex, holders, tokens, NoLease())

    async def settled(self, lease: Lease, tokens: int | None) -> None:
        lease.settle(tokens)
        await asyncio.gather(*self.limits._settling)

    @property
    def alone(self) -> float:
        return self.metrics.registry.get_sample_value("gaiarouter_limits_alone_total") or 0.0


@pytest.fixture
async def two(valkey: ValkeyServer) -> AsyncIterator[tuple[Process, Process]]:
    both = Process(valkey), Process(valkey)
    yield both
    for each in both:
        await each.limits.close()


def holder(limits: Limits, *, kind: str = "key") -> Holder:
    return Holder(kind, f"{kind}_{uuid4().hex}", "Ada", limits)


async def refused(claim: object) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        await claim  # type: ignore[misc]  # a coroutine, whichever it is
    return caught.value


@pytest.mark.parametrize(
    "limits",
    [
        replace(NONE, requests=Rate(100, DAY)),
        replace(NONE, tokens=Rate(1_000, DAY)),
        replace(NONE, concurrent=100),
        Limits(requests=Rate(100, DAY), tokens=Rate(1_000, DAY), concurrent=100),
    ],
    ids=["requests", "tokens", "concurrent", "all"],
)
async def test_exactly_a_hundred_of_two_hundred_pass_on_two_processes(
    two: tuple[Process, Process], limits: Limits
) -> None:
    whose = holder(limits)
    outcomes = await asyncio.gather(
        *(two[number % 2].claim(whose, tokens=10) for number in range(200)), return_exceptions=True
    )
    refusals = [each for each in outcomes if isinstance(each, LimitExceeded)]
    assert (len(outcomes) - len(refusals), len(refusals)) == (100, 100)
    assert [each.alone for each in two] == [0, 0]


async def test_a_refusal_names_the_limit_and_takes_nothing(two: tuple[Process, Process]) -> None:
    one, other = two
    key = holder(replace(NONE, requests=Rate(10, DAY)))
    tenant = holder(replace(NONE, requests=Rate(1, DAY)), kind="organization")
    await one.claim(key, tenant)
    error = await refused(other.claim(key, tenant))
    assert error.message.startswith("Limit reached for organization 'Ada': 1 requests per day. Try again in ")
    assert error.retry_after_s == pytest.approx(DAY, rel=0.01)
    assert error.windows["requests"][:2] == (1, 0)
    lease = await one.claim(key)
    assert lease.requests is not None
    assert lease.requests.remaining == 8  # two were let in, and the refused one counts nowhere


async def test_tokens_are_settled_with_the_real_number(two: tuple[Process, Process]) -> None:
    one, other = two
    whose = holder(replace(NONE, tokens=Rate(1_000, DAY)))
    first = await one.claim(whose, tokens=900)
    assert first.tokens is not None
    assert first.tokens.remaining == 100
    await refused(other.claim(whose, tokens=200))
    await one.settled(first, 50)
    second = await other.claim(whose, tokens=200)
    assert second.tokens is not None
    assert second.tokens.remaining == 750
    await other.settled(second, 1_200)
    assert (await refused(one.claim(whose, tokens=1))).retry_after_s is not None


async def test_a_slot_is_another_s_once_it_is_given_back(two: tuple[Process, Process]) -> None:
    one, other = two
    whose = holder(replace(NONE, concurrent=1))
    lease = await one.claim(whose)
    assert "1 concurrent" in (await refused(other.claim(whose))).message
    await one.settled(lease, None)
    await one.settled(lease, None)
    again = await other.claim(whose)
    await refused(one.claim(whose))
    await other.settled(again, None)


async def test_time_gives_back_what_was_taken(two: tuple[Process, Process]) -> None:
    one, other = two
    whose = holder(replace(NONE, requests=Rate(2, 2.0)))
    await one.claim(whose)
    await one.claim(whose)
    error = await refused(other.claim(whose))
    assert error.retry_after_s is not None
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                await other.claim(whose)
            except LimitExceeded:
                await asyncio.sleep(0.01)
            else:
                break


async def test_without_any_limit_nobody_is_asked(valkey: ValkeyServer) -> None:
    process = Process(valkey)
    valkey.stop()
    await process.claim(holder(NONE), tokens=5)
    assert process.alone == 0
    await process.limits.close()


async def test_while_the_server_is_away_each_process_has_its_share_and_says_so(valkey: ValkeyServer) -> None:
    process = Process(valkey, share=2)
    whose = holder(replace(NONE, requests=Rate(10, DAY)))
    await process.claim(whose)
    valkey.stop()
    outcomes = [await _outcome(process, whose) for _ in range(8)]
    assert outcomes == [True] * 5 + [False] * 3
    assert process.alone == 1  # it is asked again after a second only
    valkey.start()
    process.monotonic += 2
    assert await _outcome(process, whose)
    assert process.alone == 1
    await process.limits.close()


async def test_a_lease_that_was_taken_before_an_outage_is_settled_without_harm(valkey: ValkeyServer) -> None:
    process = Process(valkey)
    lease = await process.claim(holder(replace(NONE, concurrent=1)))
    valkey.stop()
    await process.settled(lease, 5)
    assert process.alone == 1
    await process.limits.close()


class Cut:
    """As Scripts. lost: what is asked for does not get there; unheard: it is done, and nobody hears of it."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self.lost = self.unheard = False
        self.runs = 0

    async def run(self, script: str, keys: Sequence[str], values: Sequence[str | int | float]) -> Any:
        self.runs += 1
        if self.lost:
            raise StorageUnavailable("cut")
        answer = await self._scripts.run(script, keys, values)
        if self.unheard:
            raise StorageUnavailable("cut")
        return answer

    async def close(self) -> None:
        await self._scripts.close()


async def test_a_killed_process_s_slot_is_another_s_in_seconds_and_a_living_one_s_is_not(valkey: ValkeyServer) -> None:
    one, other = Process(valkey, slot_s=2.0), Process(valkey)
    whose = holder(replace(NONE, concurrent=1))
    await one.claim(whose)
    renewing = one.limits._scripts = Cut(one.limits._scripts)
    async with asyncio.timeout(BOUND_S):
        while renewing.runs < 6:  # half as long again as a slot is kept
            await refused(other.claim(whose))
        await one.limits.close()
        while not await _outcome(other, whose):  # noqa: ASYNC110  # the server announces nothing
            await asyncio.sleep(0.01)
    await other.limits.close()


async def test_a_server_that_lost_everything_is_told_of_slots_again(valkey: ValkeyServer) -> None:
    one, other = Process(valkey, slot_s=0.2), Process(valkey)
    whose = holder(replace(NONE, concurrent=1))
    lease = await one.claim(whose)
    valkey.stop()
    valkey.start()
    async with asyncio.timeout(BOUND_S):
        while await _settled_again(other, whose):  # noqa: ASYNC110  # the server announces nothing
            await asyncio.sleep(0.01)
    await one.settled(lease, None)
    assert await _outcome(other, whose)
    for each in (one, other):
        await each.limits.close()


async def _settled_again(process: Process, whose: Holder) -> bool:
    """Whether a slot was free; it is then free again."""
    try:
        lease = await process.claim(whose)
    except LimitExceeded:
        return False
    process.monotonic += 2
    await process.settled(lease, None)
    return True


async def test_who_hangs_up_while_asking_keeps_no_slot(two: tuple[Process, Process]) -> None:
    one, other = two
    whose = holder(replace(NONE, concurrent=1))
    asking = asyncio.create_task(one.claim(whose))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await one.claim(holder(replace(NONE, concurrent=1)))  # after the first, on the same connection
    await asyncio.gather(*one.limits._settling)
    await other.claim(whose)


@pytest.mark.parametrize("how", ["claim", "settle"])
async def test_a_slot_is_given_back_when_the_server_is_heard_again(two: tuple[Process, Process], how: str) -> None:
    one, other = two
    cut = one.limits._scripts = Cut(one.limits._scripts)
    whose = holder(replace(NONE, concurrent=2))
    if how == "claim":
        cut.unheard = True
        await one.claim(whose)
    else:
        lease = await one.claim(whose)
        cut.lost = True
        await one.settled(lease, None)
    await other.claim(whose)
    await refused(other.claim(whose))
    cut.lost = cut.unheard = False
    one.monotonic += 2
    await one.claim(holder(replace(NONE, concurrent=1)))
    await asyncio.gather(*one.limits._settling)
    await other.claim(whose)


async def _outcome(process: Process, whose: Holder) -> bool:
    try:
        await process.claim(whose)
    except LimitExceeded:
        return False
    return True
