"""GCRA as a level: what is taken raises it, time lowers it at the limit's rate, what would lift it above the limit
is refused.

So a whole limit may be used at once, and after that the rate holds: in any span of t seconds at most
limit + rate * t is taken. Counting in levels, not in arrival times, keeps whole numbers exact and survives a change of
the limit.
"""

from __future__ import annotations

from math import inf

from msgspec import Struct

from gaiarouter.config.settings import Rate
from gaiarouter.limits.base import Window

_ROUNDING = 1e-6  # of one request or token: who waits as long as it was told must not miss by a rounding


class Meter:
    """One window of one caller. Times are monotonic seconds. What has no `now` wants it drained to the present first.

    given_back: all that was ever taken and given back again, by which a Reservation finds its place. rate: what a
    window that is not empty loses in a second.
    """

    __slots__ = ("_at", "_capacity", "_share", "given_back", "level", "limit", "rate")

    def __init__(self, share: int, now: float) -> None:
        self.limit: Rate | None = None
        self.level = 0.0
        self.given_back = 0.0
        self._share = share
        self._capacity = 0.0
        self.rate = 0.0
        self._at = now

    def drain(self, now: float) -> None:
        if self.level:
            level = self.level - (now - self._at) * self.rate
            self.level = level if level > 0 else 0.0
        self._at = now

    def set_limit(self, limit: Rate | None, now: float) -> None:
        """None is no limit: nothing is counted. A process gets its share, but can always let through one at a time."""
        if limit is self.limit:
            return
        self.drain(now)
        self.limit = limit
        if limit is None:
            self.level = self._capacity = self.rate = 0.0
        else:
            self._capacity = max(limit.amount / self._share, min(limit.amount, 1))
            self.rate = limit.amount / self._share / limit.per_s

    def take(self, amount: int, now: float) -> float:
        """Takes it and returns 0.0, or returns the seconds until it may be taken. What is larger than this process's
        share, though not than the limit, may be taken from an untouched window, which is then in debt."""
        if self.limit is None:
            return 0.0
        self.drain(now)
        level, room = self.level + amount, self._capacity
        excess = level - max(room, amount)
        if excess <= _ROUNDING and room:
            self.level = level
            return 0.0
        return excess / self.rate if self.rate else inf

    def owe(self, amount: float) -> None:
        """Takes it in any case: later requests wait for it."""
        if self.limit is not None:
            self.level += amount

    def give_back(self, amount: float) -> None:
        level = self.level
        if amount > level:
            amount = level
        self.level = level - amount
        self.given_back += amount

    def window(self, now: float) -> Window | None:
        """For the whole limit, on the assumption that the other processes have used as much of their shares."""
        if self.limit is None:
            return None
        self.drain(now)
        level, amount = self.level, self.limit.amount
        free = self._capacity - level + _ROUNDING
        remaining = int(free) * self._share if free > 0 else 0
        reset_s = (level / self.rate if self.rate else inf) if level else 0.0
        return Window(amount, min(amount, remaining), reset_s)

    def reset_s(self) -> float:
        """Until the window is whole."""
        if not self.level:
            return 0.0
        return self.level / self.rate if self.rate else inf


class Reservation(Struct, frozen=True):
    """Tokens taken before they are known. The unused ones go back, as far as time has not freed them already.

    A window frees what was taken first, first. ahead: what stood before this reservation when it was made: until that
    has gone, nothing of this one has. given_back: of the meter, at that time.
    """

    meter: Meter
    amount: int
    ahead: float
    given_back: float
    since: float

    def settle(self, tokens: int, now: float) -> None:
        """tokens: the real number. More than was reserved puts the window into debt, which later requests wait for."""
        meter, unused = self.meter, self.amount - tokens
        if unused <= 0:
            meter.owe(-unused)
            return
        freed = (now - self.since) * meter.rate + meter.given_back - self.given_back - self.ahead
        held = self.amount - freed if freed > 0 else self.amount
        if held > 0:
            meter.give_back(min(unused, held))
