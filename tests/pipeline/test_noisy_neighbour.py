"""S-45 in a time of its own: who asks for ten times what its key may have takes nothing from another key.

The stages are the pipeline's own, from the door to the limits and the budget; the provider and the database are sleeps.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.errors import BudgetExceeded, GatewayError, LimitExceeded
from gaiarouter.limits.budgets import Budgets
from gaiarouter.limits.grace import LastKnown
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline import Admission, RateLimit
from gaiarouter.pipeline.admission import Gate
from gaiarouter.pipeline.aside import Here
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage, Stages, run
from gaiarouter.store.base import ApiKey
from gaiarouter.store.records import Budget, BudgetState, Reservation, Wanted
from gaiarouter.telemetry import Metrics
from tests.pipeline.fast_loop import p99, run_fast
from tests.pipeline.scripted import BODY, Clock, exchange

PROVIDER_S, DATABASE_S = 0.1, 0.005
SECONDS = 5.0
SLOTS = 40
MAY, QUIET = 100, 20
"""Requests a second that the noisy key may have, a quarter of what there is room for, and that the other asks for."""
AT_ONCE = round(MAY * PROVIDER_S)
COST, TOKENS = 1_000, ChatDialect().read_request(BODY).estimated_input_tokens()
FREE = Limits(requests=None, tokens=None, concurrent=None)


def named(name: str, limits: Limits = FREE, budget: Budget | None = None) -> ApiKey:
    return ApiKey(id=name, name=name, secret_hash=b"", created_us=0, limits=limits, budget=budget)


QUIET_KEY = named("quiet", budget=Budget(10**12, "total"))
NOISY = {
    "requests": named("noisy", Limits(requests=Rate(AT_ONCE, AT_ONCE / MAY), tokens=None, concurrent=None)),
    "tokens": named("noisy", Limits(requests=None, tokens=Rate(AT_ONCE * TOKENS, AT_ONCE / MAY), concurrent=None)),
    "concurrent": named("noisy", Limits(requests=None, tokens=None, concurrent=AT_ONCE)),
    "budget": named("noisy", budget=Budget(AT_ONCE * COST, "total")),
}


class Table:
    """Implements BudgetTable: a transaction takes its time, and nothing that is reserved comes back."""

    def __init__(self) -> None:
        self.reserved: Counter[str] = Counter()

    async def reserve(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[BudgetState]]:
        await asyncio.sleep(DATABASE_S)
        return [[self._state(each) for each in one.reservations] for one in wanted]

    def _state(self, wish: Reservation) -> BudgetState:
        fits = self.reserved[wish.scope] + wish.amount <= wish.budget
        self.reserved[wish.scope] += wish.amount * fits
        return BudgetState(wish, 0, self.reserved[wish.scope], refused=not fits)

    async def give_back(self, *, before_us: int) -> int:
        raise NotImplementedError

    async def budget_in_use(self, scope: str, starts_us: int) -> tuple[int, int]:
        raise NotImplementedError


class Spending(Stage):
    """Stage: what the request may cost is reserved, then the provider answers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        last = LastKnown(clock, grace_s=0.0, share=1)
        self._budgets = Budgets(Table(), Metrics(), lambda: 1, is_away=lambda: False, last=last)

    async def request(self, exchange: Exchange) -> None:
        assert exchange.key is not None
        await self._budgets.reserve(exchange.id, exchange.key, COST, time_us=1)
        await asyncio.sleep(PROVIDER_S)


@dataclass
class Seen:
    """By key: how long those took that were served, and why the others were not."""

    served: dict[str, list[float]] = field(default_factory=lambda: {"quiet": [], "noisy": []})
    refused: dict[str, Counter[type[GatewayError]]] = field(
        default_factory=lambda: {"quiet": Counter(), "noisy": Counter()}
    )


async def asked(noisy: ApiKey | None) -> Seen:
    """The quiet key asks as often as it does; beside it the noisy one ten times as often as it may."""
    loop, seen = asyncio.get_running_loop(), Seen()
    gate = Gate(slots=SLOTS, waiting=1024, wait_s=0.25, on_shed=lambda _: None, clock=loop.time)
    stages = Stages(
        [Admission(gate), RateLimit(MemoryLimiter(loop.time), aside=Here(), default=FREE), Spending(loop.time)]
    )

    async def one(key: ApiKey) -> None:
        made, came = exchange(Clock()), loop.time()
        made.key = key
        try:
            await run(stages, made)
            seen.served[key.id].append(loop.time() - came)
        except GatewayError as error:
            seen.refused[key.id][type(error)] += 1
        finally:
            if made.admitted:
                gate.leave()

    async def ask(key: ApiKey, a_second: float, rng: random.Random) -> None:
        while loop.time() < SECONDS:
            group.create_task(one(key))
            await asyncio.sleep(rng.expovariate(a_second))

    async with asyncio.TaskGroup() as group:
        group.create_task(ask(QUIET_KEY, QUIET, random.Random(7)))
        if noisy is not None:
            group.create_task(ask(noisy, 10 * MAY, random.Random(8)))
    return seen


@pytest.mark.parametrize("limit", NOISY)
def test_s45_a_key_at_ten_times_its_limit_does_not_slow_another(limit: str) -> None:
    alone, beside = run_fast(asked(None)), run_fast(asked(NOISY[limit]))
    refused = beside.refused["noisy"]
    assert refused.keys() == {BudgetExceeded if limit == "budget" else LimitExceeded}, "the limit holds, not the room"
    assert refused.total() > 8 * len(beside.served["noisy"]) > 0
    assert beside.refused["quiet"].total() == 0
    assert len(beside.served["quiet"]) == len(alone.served["quiet"])
    assert p99(beside.served["quiet"]) <= 1.2 * p99(alone.served["quiet"])


def test_without_its_limit_it_would() -> None:
    """So that what is shown above is the limits' doing."""
    beside = run_fast(asked(named("noisy")))
    slow = [took for took in beside.served["quiet"] if took > 1.2 * (PROVIDER_S + DATABASE_S)]
    assert len(slow) + beside.refused["quiet"].total() > 0.5 * QUIET * SECONDS
