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
_NONE = AttemptTimeouts(inf, inf, inf, inf)


class Watch:
    """A connection's one timer, which its attempts use in turn: `begin`, `head_arrived`, `stop`. Where one has ended
    the next finds the timer still set, mostly for a time that is early enough. `close` it with the connection.

    since: when the present wait began, `inf` while nothing is waited for. expired: the limit that has passed.
    """

    __slots__ = ("_at", "_give_up", "_handle", "_loop", "_phase", "_timeouts", "deadline", "expired", "since")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._give_up: Callable[[TimedOut], None] | None = None
        """None between two attempts."""
        self._handle: asyncio.TimerHandle | None = None
        self._at = inf
        self._phase: Literal["first_byte", "idle"] = "first_byte"
        self._timeouts = _NONE
        self.deadline = self.since = inf
        self.expired: TimedOut | None = None

    def begin(self, timeouts: AttemptTimeouts, give_up: Callable[[TimedOut], None]) -> None:
        """An attempt, in the phase `first_byte`. give_up: called once, when a limit has passed."""
        self._give_up = give_up
        self._phase = "first_byte"
        self._timeouts = timeouts
        self.deadline = timeouts.deadline
        self.expired = None
        self.since = now = self._loop.time()
        at = now + min(timeouts.first_byte_s, timeouts.idle_s)
        if at < self._at or self.deadline < self._at:
            self._set(at)

    def hold(self) -> None:
        """The request itself is still to come: its caller is waited for, not the provider."""
        if self._phase == "first_byte":
            self.since = inf

    def go_on(self) -> None:
        """The provider is waited for again."""
        if self._phase == "first_byte":
            self.since = self._loop.time()

    def head_arrived(self) -> None:
        """From here on only silence counts: no wait for bytes may last longer than the idle limit."""
        self._phase, self.since = "idle", inf

    def stop(self) -> None:
        self._give_up = None

    def close(self) -> None:
        self.stop()
        self._cancel()

    def _set(self, at: float) -> None:
        """Wakes at that time at the latest, and at the deadline."""
        if at > self.deadline:
            at = self.deadline
        if at < self._at:
            self._cancel()
            self._at = at
            self._handle = self._loop.call_at(at, self._ring)

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._at = None, inf

    def _ring(self) -> None:
        self._handle, self._at = None, inf
        if self._give_up is None:
            return
        now, first_byte_s, idle_s = self._loop.time(), self._timeouts.first_byte_s, self._timeouts.idle_s
        due = self.since + (first_byte_s if self._phase == "first_byte" else idle_s)
        if now >= self.deadline:
            self._expire("total", self._give_up)
        elif now >= due:
            self._expire(self._phase, self._give_up)
        else:
            # never later than a whole interval from now: a wait that begins meanwhile may have the shortest limit
            self._set(min(due, now + first_byte_s, now + idle_s))

    def _expire(self, phase: Literal["first_byte", "idle", "total"], give_up: Callable[[TimedOut], None]) -> None:
        self.expired = TimedOut(_MESSAGES[phase], phase=phase)
        give_up(self.expired)
