"""When that is done which is done again and again: all of it in one turn of the event loop, so that a process that has
nothing to do is woken once, and not for each."""

from __future__ import annotations

import math
from typing import Final

_EARLY: Final = 0.05
"""Of a round: a timer may ring so much before its time, and its round is then not waited for once more."""


def next_round(now: float, every_s: float) -> float:
    """The next time that is a whole multiple of `every_s`, on the clock that `now` was read from."""
    return (math.floor(now / every_s + _EARLY) + 1) * every_s
