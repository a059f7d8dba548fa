from __future__ import annotations

import asyncio

import pytest

from gaiarouter.errors import Unavailable
from gaiarouter.pipeline.admission import Gate, Shed

FOREVER_S = 60.0


class Doors:
    """A gate that keeps what it turned away. `now_s` is its clock."""

    def __init__(self, *, slots: int, waiting: int, wait_s: float = FOREVER_S) -> None:
        self.shed: list[Shed] = []
        self.now_s = 1000.0
        self.gate = Gate(
            slots=slots, waiting=waiting, wait_s=wait_s, on_shed=self.shed.append, clock=lambda: self.now_s
        )

    async def queue(self) -> asyncio.Task[None]:
        """One that waits."""
        task = asyncio.create_task(self.gate.enter())
        await asyncio.sleep(0)  # it runs as far as it can
        return task

    async def full(self, slots: int, waiting: int) -> list[asyncio.Task[None]]:
        """Every slot taken, and so many that wait."""
        for _ in range(slots):
            await self.gate.enter()
        return [await self.queue() for _ in range(waiting)]

    async def places(self) -> int:
        """How many more may wait now. They wait from then on."""
        tasks = [await self.queue() for _ in range(100)]
        turned_away = [task for task in tasks if task.done()]
        assert all(isinstance(task.exception(), Unavailable) for task in turned_away)
        return 100 - len(turned_away)


async def until_empty(doors: Doors, queue: list[asyncio.Task[None]]) -> None:
    for _ in queue:
        doors.gate.leave()
    await asyncio.gather(*queue)


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


async def test_a_queue_that_stays_is_cut_to_a_quarter_of_the_slots() -> None:
    """So that no turn takes longer to come than a quarter of a request: sixteen leave in the time of one."""
    doors = Doors(slots=16, waiting=60, wait_s=30.0)
    queue = await doors.full(16, waiting=3)
    doors.now_s += 29.9
    queue += [await doors.queue() for _ in range(40)]
    assert doors.gate.waiting == 43, "a burst may take every place"
    doors.now_s += 0.1
    assert await doors.places() == 0
    await until_empty(doors, queue[:-2])
    assert await doors.places() == 2


async def test_an_overload_is_over_when_nobody_was_turned_away_for_a_second() -> None:
    doors = Doors(slots=4, waiting=60, wait_s=30.0)
    queue = await doors.full(4, waiting=1)
    doors.now_s += 30.0
    assert await doors.places() == 0
    await until_empty(doors, queue)
    doors.now_s += 0.99
    queue = [await doors.queue()]
    assert doors.gate.waiting == 1, "one of four"
    assert await doors.places() == 0, "and it goes on, though the queue was empty once"
    await until_empty(doors, queue)
    doors.now_s += 1.0
    assert await doors.places() == 60


@pytest.mark.parametrize(("slots", "waiting", "places"), [(1, 9, 1), (3, 9, 1), (8, 9, 2), (400, 9, 9)])
async def test_of_few_slots_one_may_be_waited_for_and_never_more_than_the_bound(
    slots: int, waiting: int, places: int
) -> None:
    doors = Doors(slots=slots, waiting=waiting, wait_s=30.0)
    await doors.full(slots, waiting=1)
    doors.now_s += 30.0
    assert await doors.places() == places - 1


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_who_gives_up_in_the_moment_of_being_let_in_takes_no_slot(cancelled_first: bool) -> None:
    doors = Doors(slots=1, waiting=9)
    await doors.gate.enter()
    leaver, next_one = await doors.queue(), await doors.queue()
    for step in (leaver.cancel, doors.gate.leave) if cancelled_first else (doors.gate.leave, leaver.cancel):
        step()
    await asyncio.wait([leaver])
    await next_one
    assert (doors.gate.running, doors.gate.waiting) == (1, 0)
    doors.gate.leave()
    assert doors.gate.running == 0
    await asyncio.wait_for(doors.gate.enter(), 1.0)
