"""A connection's one timer, and the time-outs of the requests that use it in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, cast

from gaiarouter.errors import TimedOut
from gaiarouter.upstream.base import AttemptTimeouts
from gaiarouter.upstream.watch import Watch


class Timers:
    """An event loop as far as timers go: `advance` rings those that are due."""

    def __init__(self) -> None:
        self.now = 100.0
        self.set: list[tuple[float, Callable[[], None]]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        self.made += 1
        entry = (when, callback)
        self.set.append(entry)
        return _Handle(self, entry)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [entry for entry in self.set if entry[0] <= end]:
            entry = min(due, key=lambda each: each[0])
            self.set.remove(entry)
            self.now = max(self.now, entry[0])
            entry[1]()
        self.now = end


class _Handle:
    def __init__(self, timers: Timers, entry: tuple[float, Callable[[], None]]) -> None:
        self._timers = timers
        self._entry = entry

    def cancel(self) -> None:
        if self._entry in self._timers.set:
            self._timers.set.remove(self._entry)


class Connection:
    def __init__(self) -> None:
        self.timers = Timers()
        self.of = Watch(cast(asyncio.AbstractEventLoop, self.timers))
        self.failed: list[TimedOut] = []

    def watch(self, *, first_byte_s: float = 10.0, idle_s: float = 5.0, deadline: float = inf) -> Watch:
        self.of.begin(AttemptTimeouts(1.0, first_byte_s, idle_s, deadline), self.failed.append)
        return self.of


def test_requests_in_turn_need_one_timer() -> None:
    there = Connection()
    for _ in range(100):
        watch = there.watch()
        there.timers.advance(0.01)
        watch.head_arrived()
        watch.stop()
    assert there.timers.made == 1
    assert there.failed == []


def test_a_later_request_has_its_own_time() -> None:
    there = Connection()
    there.watch().stop()
    there.timers.advance(4.0)
    there.watch(first_byte_s=5.0)
    there.timers.advance(4.9)
    assert there.failed == [], "the timer of the first has rung"
    there.timers.advance(0.2)
    assert [error.phase for error in there.failed] == ["first_byte"]


def test_a_shorter_limit_than_that_of_the_request_before_is_kept() -> None:
    there = Connection()
    there.watch(first_byte_s=60.0, idle_s=60.0).stop()
    there.watch(first_byte_s=60.0, idle_s=60.0, deadline=there.timers.now + 2.0)
    there.timers.advance(2.0)
    assert [error.phase for error in there.failed] == ["total"]
    assert there.timers.now == 102.0


def test_silence_in_the_answer_is_noticed_by_the_timer_of_a_request_before() -> None:
    there = Connection()
    there.watch().stop()
    there.timers.advance(3.0)
    watch = there.watch()
    watch.head_arrived()
    watch.since = there.timers.now
    there.timers.advance(5.1)
    assert [error.phase for error in there.failed] == ["idle"]


def test_a_connection_that_is_closed_leaves_no_timer() -> None:
    there = Connection()
    there.watch()
    there.of.close()
    assert there.timers.set == []
