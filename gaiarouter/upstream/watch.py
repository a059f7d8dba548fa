"""The time-outs of one attempt, with one timer for all of them.

A timer per read would cost more than the read. Here a read only notes the time it began to wait; the timer wakes at the
shortest of the limits, looks whether the wait has lasted too long, and sleeps again.
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


class Watch:
    """Starts in the phase `first_byte`. `since` is when the present wait began, `inf` while nothing is waited for.

    `give_up` is called once, when a limit has passed; `expired` then says which.
    """

    __slots__ = (
        "_give_up",
        "_handle",
        "_idle_s",
        "_interval_s",
        "_limit_s",
        "_loop",
        "_phase",
        "deadline",
        "expired",
        "since",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeouts: AttemptTimeouts, give_up: Callable[[TimedOut], None]
    ) -> None:
        self._loop = loop
        self._give_up = give_up
        self._idle_s = timeouts.idle_s
        self._limit_s = timeouts.first_byte_s
        self._phase: Literal["first_byte", "idle"] = "first_byte"
        self._interval_s = min(timeouts.first_byte_s, timeouts.idle_s)
        self.deadline = timeouts.deadline
        self.expired: TimedOut | None = None
        self.since = loop.time()
        self._handle = loop.call_at(min(self.since + self._interval_s, self.deadline), self._wake)

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
        self._phase, self._limit_s, self.since = "idle", self._idle_s, inf

    def stop(self) -> None:
        self._handle.cancel()

    def _wake(self) -> None:
        now = self._loop.time()
        due = self.since + self._limit_s
        if now >= self.deadline:
            self._expire("total")
        elif now >= due:
            self._expire(self._phase)
        else:
            # never later than a whole interval from now: a wait that begins meanwhile may have the shortest limit
            self._handle = self._loop.call_at(min(due, now + self._interval_s, self.deadline), self._wake)

    def _expire(self, phase: Literal["first_byte", "idle", "total"]) -> None:
        self.expired = TimedOut(_MESSAGES[phase], phase=phase)
        self._give_up(self.expired)
