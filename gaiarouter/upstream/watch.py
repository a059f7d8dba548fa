"""The time-outs of one attempt, with one timer for all of them.

A timer per read would cost more than the read, and one per request more than the request's time-outs are worth. Here a
read only notes the time it began to wait; the connection's timer wakes at the shortest of the limits, looks whether the
wait has lasted too long, and sleeps again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Literal

from gaiarouter.errors import TimedOut
from gaiarouter.upstream.base import AttemptTimeouts

_MESSAGES = {
    "first_byte": "The provider accepted the request and did not begin to answer in time.",
    "idle": "The provider stopped in the middle of its answer.",
    "total": "The provider's answer was not complete when the time for it ended.",
}


class Alarm:
    """A connection's one timer, which the watches of its attempts use in turn. Where one has ended the next finds the
    timer still set, mostly for a time that is early enough. `close` it with the connection."""

    __slots__ = ("_at", "_handle", "_watch", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._watch: Watch | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._at = inf

    def set(self, watch: Watch, at: float) -> None:
        """Wakes `watch` at that time at the latest."""
        self._watch = watch
        if at < self._at:
            self._cancel()
            self._at = at
            self._handle = self.loop.call_at(at, self._ring)

    def forget(self, watch: Watch) -> None:
        if self._watch is watch:
            self._watch = None

    def close(self) -> None:
        self._watch = None
        self._cancel()

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._at = None, inf

    def _ring(self) -> None:
        self._handle, self._at = None, inf
        if self._watch is not None:
            self._watch.wake()


class Watch:
    """Starts in the phase `first_byte`. `since` is when the present wait began, `inf` while nothing is waited for.

    `give_up` is called once, when a limit has passed; `expired` then says which.
    """

    __slots__ = (
        "_alarm",
        "_give_up",
        "_idle_s",
        "_interval_s",
        "_limit_s",
        "_phase",
        "deadline",
        "expired",
        "since",
    )

    def __init__(self, alarm: Alarm, timeouts: AttemptTimeouts, give_up: Callable[[TimedOut], None]) -> None:
        self._alarm = alarm
        self._give_up = give_up
        self._idle_s = timeouts.idle_s
        self._limit_s = timeouts.first_byte_s
        self._phase: Literal["first_byte", "idle"] = "first_byte"
        self._interval_s = min(timeouts.first_byte_s, timeouts.idle_s)
        self.deadline = timeouts.deadline
        self.expired: TimedOut | None = None
        self.since = alarm.loop.time()
        alarm.set(self, min(self.since + self._interval_s, self.deadline))

    def hold(self) -> None:
        """The request itself is still to come: its caller is waited for, not the provider."""
        if self._phase == "first_byte":
            self.since = inf

    def go_on(self) -> None:
        """The provider is waited for again."""
        if self._phase == "first_byte":
            self.since = self._alarm.loop.time()

    def head_arrived(self) -> None:
        """From here on only silence counts: no wait for bytes may last longer than the idle limit."""
        self._phase, self._limit_s, self.since = "idle", self._idle_s, inf

    def stop(self) -> None:
        self._alarm.forget(self)

    def wake(self) -> None:
        now = self._alarm.loop.time()
        due = self.since + self._limit_s
        if now >= self.deadline:
            self._expire("total")
        elif now >= due:
            self._expire(self._phase)
        else:
            # never later than a whole interval from now: a wait that begins meanwhile may have the shortest limit
            self._alarm.set(self, min(due, now + self._interval_s, self.deadline))

    def _expire(self, phase: Literal["first_byte", "idle", "total"]) -> None:
        self.expired = TimedOut(_MESSAGES[phase], phase=phase)
        self._give_up(self.expired)
