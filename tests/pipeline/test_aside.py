"""Large bodies are worked on beside the loop, and what goes wrong there is told as anywhere else."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest

from gaiarouter.config.settings import Limits
from gaiarouter.errors import InvalidRequest
from gaiarouter.pipeline import RateLimit
from gaiarouter.pipeline.aside import LARGE, Aside, Beside
from gaiarouter.pipeline.exchange import Exchange
from tests.pipeline.scripted import BODY, Clock, exchange, limiter

UNLIMITED = Limits(requests=None, tokens=None, concurrent=None)
PATIENCE_S = 30.0
_Made = TypeVar("_Made")


@pytest.fixture
async def aside() -> AsyncIterator[Aside]:
    made = Aside()
    yield made
    await made.close()


async def test_work_is_done_in_a_thread_that_nobody_looks_for_cycles_in(aside: Aside) -> None:
    def work() -> tuple[str, bool]:
        return threading.current_thread().name, gc.isenabled()

    name, looks = await aside.run(exchange(Clock()), work)
    assert (name.startswith("aside"), looks, gc.isenabled()) == (True, False, True)


async def test_what_it_raises_is_raised_and_cycles_are_looked_for_again(aside: Aside) -> None:
    def work() -> None:
        raise InvalidRequest("no", param="messages")

    with pytest.raises(InvalidRequest, match="no"):
        await aside.run(exchange(Clock()), work)
    assert gc.isenabled()


async def test_the_time_is_not_the_targets(aside: Aside) -> None:
    made = exchange(Clock())
    made.attempt_started_s = before = 7.0
    await aside.run(made, lambda: None)
    assert made.attempt_started_s > before


async def test_who_hangs_up_is_not_waited_for_and_does_not_begin(aside: Aside) -> None:
    """One works, one waits; both hang up."""
    go_on, began, done = threading.Event(), threading.Event(), []

    def working() -> None:
        began.set()
        go_on.wait(PATIENCE_S)
        done.append("first")

    first = asyncio.create_task(aside.run(exchange(Clock()), working))
    second = asyncio.create_task(aside.run(exchange(Clock()), lambda: done.append("second")))
    await asyncio.to_thread(began.wait, PATIENCE_S)
    for task in (first, second):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    go_on.set()
    await aside.close()
    assert done == ["first"]
    assert not any(thread.name.startswith("aside") for thread in threading.enumerate())


class Counting(Beside):
    def __init__(self) -> None:
        self.count = 0

    async def run(self, exchange: Exchange, work: Callable[[], _Made]) -> _Made:
        self.count += 1
        return work()


@pytest.mark.parametrize(("size", "count"), [(LARGE, 0), (LARGE + 1, 1)])
async def test_only_a_large_body_is_read_there(size: int, count: int) -> None:
    text = "x" * (size - len(BODY) + len("hello there"))
    body = BODY.replace(b"hello there", text.encode())
    assert len(body) == size
    aside = Counting()
    made = exchange(Clock(), body)
    await RateLimit(limiter(Clock()), default=UNLIMITED, aside=aside).request(made)
    assert (aside.count, made.request is not None) == (count, True)
