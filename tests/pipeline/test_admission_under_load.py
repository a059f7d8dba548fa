"""N1 in a time of its own: what the gate's rule makes of three times the load, whatever the machine is doing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from gaiarouter.errors import Unavailable
from gaiarouter.pipeline.admission import Gate
from tests.pipeline.fast_loop import p99, run_fast

SLOTS, WAITING, WAIT_S = 40, 1024, 0.25
MEAN_S = 0.1
CAPACITY = SLOTS / MEAN_S
BURST_S = 3 * WAIT_S
"""By then it is plain that it is none."""

Service = Callable[[random.Random], float]


@dataclass
class Seen:
    """admitted, refused: when they came, and how long it took."""

    admitted: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)


async def offered(times: float, seconds: float, service: Service) -> Seen:
    """So many times what there is room for, at random."""
    loop, rng, seen = asyncio.get_running_loop(), random.Random(7), Seen()
    gate = Gate(slots=SLOTS, waiting=WAITING, wait_s=WAIT_S, on_shed=lambda _: None, clock=loop.time)

    async def one() -> None:
        came = loop.time()
        try:
            await gate.enter()
        except Unavailable:
            seen.refused.append((came, loop.time() - came))
            return
        await asyncio.sleep(service(rng))
        gate.leave()
        seen.admitted.append((came, loop.time() - came))

    async with asyncio.TaskGroup() as group:
        while loop.time() < seconds:
            group.create_task(one())
            await asyncio.sleep(rng.expovariate(times * CAPACITY))
    return seen


def under(times: float, seconds: float, service: Service) -> Seen:
    return run_fast(offered(times, seconds, service))


def later(times: Sequence[tuple[float, float]]) -> list[float]:
    """How long it took those who came when it was plain that it is no burst."""
    return [took for came, took in times if came >= BURST_S]


@pytest.mark.parametrize(
    "service", [lambda _: MEAN_S, lambda rng: rng.uniform(0.5, 1.5) * MEAN_S], ids=["of one length", "of several"]
)
def test_n1_at_three_times_the_load_those_let_in_are_as_quick_and_as_many(service: Service) -> None:
    normal, over = under(0.8, 5, service), under(3, 5, service)
    assert p99(later(over.admitted)) < 2 * p99([took for _, took in normal.admitted])
    assert max(took for _, took in over.admitted) < WAIT_S + 1.5 * MEAN_S + 0.001
    assert len(over.admitted) > 0.95 * 5 * CAPACITY
    assert p99(later(over.refused)) == 0.0
