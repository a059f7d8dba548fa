from __future__ import annotations

import asyncio

import pytest

from gaiarouter.errors import Unavailable
from gaiarouter.pipeline.admission import Gate, Shed

FOREVER_S = 60.0


class Doors:
    """A gate that keeps what it turned away."""

    def __init__(self, *, slots: int, waiting: int, wait_s: float = FOREVER_S) -> None:
        self.shed: list[Shed] = []
        self.gate = Gate(slots=slots, waiting=waiting, wait_s=wait_s, on_shed=self.shed.append)

    async def queue(self) -> asyncio.Task[None]:
        """One that waits."""
        task = asyncio.create_task(self.gate.enter())
        await asyncio.sleep(0)  # it runs as far as it can
        return task


async def test_beyond_the_slots_some_wait_and_the_rest_is_turned_away_at_once() -> None:
    doors = Doors(slots=2, waiting=1)
    for _ in range(2):
        await doors.gate.enter()
    waiting = await doors.queue()
    with pytest.raises(Unavailable) as refused:
        await doors.gate.enter()
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (503, "overloaded", 1.0)
    assert doors.shed == ["full"]
    doors.gate.leave()
    await waiting
    assert doors.gate.waiting == 0


async def test_those_who_wait_are_let_in_in_their_order_before_who_comes_later() -> None:
    doors = Doors(slots=1, waiting=9)
    await doors.gate.enter()
    first, second = await doors.queue(), await doors.queue()
    doors.gate.leave()
    late = await doors.queue()
    await first
    assert not second.done()
    assert not late.done()
    doors.gate.leave()
    await second
    doors.gate.leave()
    await late


async def test_who_has_waited_long_enough_is_turned_away_and_takes_no_slot() -> None:
    doors = Doors(slots=1, waiting=1, wait_s=0.01)
    await doors.gate.enter()
    with pytest.raises(Unavailable):
        await doors.gate.enter()
    assert doors.shed == ["waited"]
    doors.gate.leave()
    await doors.gate.enter()


async def test_who_leaves_while_waiting_leaves_the_place_and_the_slot() -> None:
    doors = Doors(slots=1, waiting=1)
    await doors.gate.enter()
    gone = await doors.queue()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert doors.gate.waiting == 0
    doors.gate.leave()
    await doors.gate.enter()


async def test_who_leaves_in_the_moment_of_being_let_in_gives_the_slot_back() -> None:
    doors = Doors(slots=1, waiting=1)
    await doors.gate.enter()
    gone = await doors.queue()
    doors.gate.leave()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.wait_for(doors.gate.enter(), 1)


async def test_without_places_to_wait_nobody_waits() -> None:
    doors = Doors(slots=1, waiting=0)
    await doors.gate.enter()
    with pytest.raises(Unavailable):
        await doors.gate.enter()
    assert doors.shed == ["full"]


async def test_short_of_memory_one_at_a_time_is_let_in() -> None:
    doors = Doors(slots=9, waiting=9)
    doors.gate.short_of_memory = True
    await doors.gate.enter()
    with pytest.raises(Unavailable):
        await doors.gate.enter()
    assert doors.shed == ["memory"]
    doors.gate.leave()
    await doors.gate.enter()
    doors.gate.short_of_memory = False
    await doors.gate.enter()
