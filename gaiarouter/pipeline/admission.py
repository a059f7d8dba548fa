"""Is there room for one more request: the bound that keeps those inside quick, whatever is outside.

A request that finds no room is told so at once, before its key is looked up or its body read. Some may wait for a
moment, in their order, so that a short burst is no error. A queue that does not become empty is no burst: then only so
many wait that their turn comes within a quarter of the time that a request takes. Requests leave `slots` by `slots` in
that time, whatever it is, so that a quarter of the slots is the number; nothing has to be measured.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from gaiarouter.errors import Unavailable
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage

RETRY_S: Final = 1.0
_CALM_S: Final = 1.0
"""Without a refusal for so long, an overload is over."""
_SHARE_WAITING: Final = 4
"""In an overload one waits for so many slots."""

Shed = Literal["full", "waited", "memory"]
"""Why a request was not let in: no place to wait, no slot in time, no memory."""


class Gate:
    """The process's slots. wait_s: the longest that anybody waits, and that a queue may stay and be a burst still.
    on_shed: called with each request that is turned away."""

    def __init__(
        self,
        *,
        slots: int,
        waiting: int,
        wait_s: float,
        on_shed: Callable[[Shed], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = slots
        self._queue: deque[asyncio.Future[None]] = deque()
        self._most_waiting = waiting
        self._most_waiting_long = min(waiting, max(1, slots // _SHARE_WAITING))
        self._wait_s = wait_s
        self._on_shed = on_shed
        self._clock = clock
        self._queue_since_s = 0.0
        self._overloaded_until_s = 0.0
        self.running = 0
        self.waiting = 0
        self.short_of_memory = False
        """As long as it is set one request at a time is let in: what nobody uses does not become less by waiting."""

    async def enter(self) -> None:
        """Takes a slot, to be given back by `leave`; raises Unavailable (overloaded), and then has taken none."""
        if self.short_of_memory and self.running:
            raise self._turned_away("memory")
        if self.running >= self.slots or self._queue:
            await self._wait()
        else:
            self.running += 1

    def leave(self) -> None:
        self.running -= 1
        while self._queue and self.running < self.slots:
            first = self._queue.popleft()
            if not first.done():
                self.running += 1  # already, so that nobody comes in between
                first.set_result(None)

    async def _wait(self) -> None:
        if self.waiting >= self._places():
            raise self._turned_away("full")
        self.waiting += 1
        slot = asyncio.get_running_loop().create_future()
        self._queue.append(slot)
        try:
            async with asyncio.timeout(self._wait_s):
                await slot
        except BaseException as error:
            if slot in self._queue:
                self._queue.remove(slot)
            elif not slot.cancelled():
                self.leave()  # it was given the slot in the moment in which it stopped waiting
            if isinstance(error, TimeoutError):
                raise self._turned_away("waited") from None
            raise
        finally:
            self.waiting -= 1

    def _places(self) -> int:
        """How many may wait. An overload lasts as long as refusals do."""
        now = self._clock()
        if not self.waiting:
            self._queue_since_s = now
        if now < self._overloaded_until_s or now - self._queue_since_s >= self._wait_s:
            if self.waiting >= self._most_waiting_long:
                self._overloaded_until_s = now + _CALM_S
            return self._most_waiting_long
        return self._most_waiting

    def _turned_away(self, why: Shed) -> Unavailable:
        self._on_shed(why)
        return Unavailable("The gateway has all the requests that it can take; try again soon.", retry_after_s=RETRY_S)


class Admission(Stage):
    """The slot is held until the last byte is written, which is after `finish`: the server gives it back."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def request(self, exchange: Exchange) -> None:
        await self._gate.enter()
        exchange.admitted = True
