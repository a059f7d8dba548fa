"""S-73: who was not let in is in the audit log, and cannot fill it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from gaiarouter.store.base import StorageUnavailable, Store
from gaiarouter.store.records import Refused
from gaiarouter.store.refusals import AGAIN_S, NAMED, Refusals
from gaiarouter.store.verification import verify_audit
from tests.store.conftest import AUTHOR, ORGANIZATION, Clock


class Door:
    """Keeps what is noted; away: as many times as the store does not answer."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.noted: list[Refused] = []

    async def note_refused(self, refused: Refused, *, now_us: int) -> None:
        if self.away:
            self.away -= 1
            raise StorageUnavailable
        self.noted.append(refused)


def _refusals(store: Any, clock: Clock) -> Refusals:
    return Refusals(store, clock=clock.monotonic, wall_us=clock.wall_us)


async def test_an_entry_says_why_where_and_who_and_is_part_of_the_chain(store: Store, clock: Clock) -> None:
    refusals = _refusals(store, clock)
    await store.add_organization(ORGANIZATION, AUTHOR)
    for who in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        refusals.note("wrong_key", "control_plane", who)
    await refusals.write()
    (entry,) = await store.list_audit(target="control_plane")
    assert (entry.seq, entry.actor, entry.action, entry.before) == (2, "system", "auth.refused", None)
    assert entry.after is not None
    assert json.loads(entry.after) == {
        "reason": "wrong_key",
        "count": 3,
        "since_us": clock.wall_us(),
        "by": {"192.0.2.1": 2, "192.0.2.2": 1},
        "others": 0,
    }
    assert await verify_audit(store) == (2, None)


async def test_a_flood_is_one_entry_at_once_and_one_an_hour_of_a_bounded_size(clock: Clock) -> None:
    door = Door()
    refusals = _refusals(door, clock)
    refusals.note("wrong_key", "models", "first")
    await refusals.write()
    for second in range(int(AGAIN_S)):
        for number in range(10):
            refusals.note("wrong_key", "models", f"address {second * 10 + number}")
        await refusals.write()
        clock.advance(1)
    assert [one.count for one in door.noted] == [1]
    await refusals.write()
    assert [one.count for one in door.noted] == [1, 36_000]
    assert len(door.noted[1].by) == NAMED


async def test_each_reason_at_each_door_is_noted_at_once(clock: Clock) -> None:
    door = Door()
    refusals = _refusals(door, clock)
    for reason, where in (("no_key", "models"), ("wrong_key", "models"), ("wrong_key", "control_plane")):
        refusals.note(reason, where, "a")
        await refusals.write()
    assert [(one.reason, one.door) for one in door.noted] == [
        ("no_key", "models"),
        ("wrong_key", "models"),
        ("wrong_key", "control_plane"),
    ]


async def test_while_the_store_is_away_the_sum_grows_and_nothing_of_it_is_lost(clock: Clock) -> None:
    door = Door(away=2)
    refusals = _refusals(door, clock)
    for _ in range(3):
        refusals.note("no_key", "models", "a")
        await refusals.write()
    (only,) = door.noted
    assert (only.count, only.by) == (3, (("a", 3),))


async def test_those_who_come_while_an_entry_fails_are_in_the_next(clock: Clock) -> None:
    class Slow(Door):
        async def note_refused(self, refused: Refused, *, now_us: int) -> None:
            if self.away:
                for number in range(NAMED + 5):
                    refusals.note("no_key", "models", f"{number}")
            await super().note_refused(refused, now_us=now_us)

    door = Slow(away=1)
    refusals = _refusals(door, clock)
    refusals.note("no_key", "models", "first")
    await refusals.write()
    await refusals.write()
    (only,) = door.noted
    assert (only.count, len(only.by), sum(count for _, count in only.by)) == (NAMED + 6, NAMED, NAMED)


async def test_the_end_writes_what_is_left_within_the_hour_too(clock: Clock) -> None:
    door = Door()
    refusals = _refusals(door, clock)
    refusals.start()
    refusals.note("no_key", "models", "a")
    await refusals.write()
    refusals.note("no_key", "models", "b")
    await refusals.close()
    assert sum(one.count for one in door.noted) == 2


async def test_what_cannot_be_written_at_the_end_is_said(clock: Clock) -> None:
    refusals = _refusals(Door(away=9), clock)
    refusals.note("no_key", "models", "a")
    with capture_logs() as logged:
        await refusals.close()
    assert [(line["event"], line["count"]) for line in logged] == [("audit.refusals_lost", 1)]


@pytest.mark.parametrize("bug", [RuntimeError("bug")])
async def test_a_bug_ends_neither_the_sum_nor_the_writing(clock: Clock, bug: Exception) -> None:
    class Broken(Door):
        async def note_refused(self, refused: Refused, *, now_us: int) -> None:
            if self.away:
                self.away -= 1
                raise bug
            await super().note_refused(refused, now_us=now_us)

    door = Broken(away=1)
    refusals = _refusals(door, clock)
    refusals.note("no_key", "models", "a")
    with pytest.raises(RuntimeError):
        await refusals.write()
    await refusals.write()
    assert [one.count for one in door.noted] == [1]
