"""N1 in a time of its own: what the gate's rule makes of three times the load, whatever the machine is doing."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from gaiarouter.errors import Unavailable
from gaiarouter.pipeline.admission import Gate

SLOTS, WAITING, WAIT_S = 40, 1024, 0.25
MEAN_S = 0.1
CAPACITY = SLOTS / MEAN_S
BURST_S = 3 * WAIT_S
"""By then it is plain that it is none."""

Service = Callable[[random.Random], float]


class NoWaiting(selectors.SelectSelector):
    """Nothing is waited for: the time jumps to when the next thing is due."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += timeout or 0.0
        return super().select(0)


class FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = NoWaiting()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


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
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        return runner.run(offered(times, seconds, service))


def p99(times: Sequence[tuple[float, float]], *, after_s: float = 0.0) -> float:
    found = sorted(took for came, took in times if came >= after_s)
    return found[round(0.99 * (len(found) - 1))]


@pytest.mark.parametrize(
    "service", [lambda _: MEAN_S, lambda rng: rng.uniform(0.5, 1.5) * MEAN_S], ids=["of one length", "of several"]
)
def test_n1_at_three_times_the_load_those_let_in_are_as_quick_and_as_many(service: Service) -> None:
    normal, over = under(0.8, 5, service), under(3, 5, service)
    assert p99(over.admitted, after_s=BURST_S) < 2 * p99(normal.admitted)
    assert max(took for _, took in over.admitted) < WAIT_S + 1.5 * MEAN_S + 0.001
    assert len(over.admitted) > 0.95 * 5 * CAPACITY
    assert p99(over.refused, after_s=BURST_S) == 0.0
