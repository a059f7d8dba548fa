"""Large bodies are translated beside the event loop: in a thread, which gives way to the loop every few milliseconds.

There is one thread, for more would only take turns with the loop oftener. Who hangs up while waiting for it is not
served any more; what it has begun it brings to its end, and nobody hears of that.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from gaiarouter.pipeline.exchange import Exchange

LARGE: Final = 256 * 1024
"""Bytes. What is smaller takes less time than it may hold up others."""
_Made = TypeVar("_Made")


class Beside(Protocol):
    """Where the work on large bodies is done."""

    async def run(self, exchange: Exchange, work: Callable[[], _Made]) -> _Made:
        """What `work` returns or raises. It may touch nothing that the loop changes. The time is the gateway's own: an
        attempt that is under way begins later by it."""
        ...


def place_for(size: int, aside: Beside) -> Beside:
    """Where a body of so many bytes is worked on."""
    return aside if size > LARGE else _HERE


class Aside:
    """The thread. It is started by the first large body."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")

    async def run(self, exchange: Exchange, work: Callable[[], _Made]) -> _Made:
        loop = asyncio.get_running_loop()
        began = loop.time()
        made = await loop.run_in_executor(self._executor, _uncollected, work)
        exchange.attempt_started_s += loop.time() - began
        return made

    async def close(self) -> None:
        """Waits for what has begun."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)


class Here:
    """No thread: for what is not large, and where nobody else is served."""

    async def run(self, exchange: Exchange, work: Callable[[], _Made]) -> _Made:
        return work()


_HERE: Final = Here()


def _uncollected(work: Callable[[], _Made]) -> _Made:
    """Looking for cycles among as many objects as a large body becomes holds up the loop, and finds none."""
    if not gc.isenabled():
        return work()
    gc.disable()
    try:
        return work()
    finally:
        gc.enable()
