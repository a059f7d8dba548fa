"""How often one source may show a key that is wrong: enough for a mistake, too little for guessing.

A right key always works: many callers may stand behind one address, and one of them must not shut out the others. Who
is over the limit is told to wait, and no longer that the key is wrong.

A token bucket for each source. The table is bounded, so that who can take many addresses cannot fill the memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gaiarouter.config.settings import Rate
from gaiarouter.errors import LimitExceeded

_SOURCES: Final = 10_000


class Guesses:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float], *, sources: int = _SOURCES) -> None:
        self._clock = clock
        self._most = sources
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By source: what is taken out of its bucket, and when that was so."""

    def wrong(self, source: str, rate: Rate | None) -> None:
        """A wrong key came from there. Raises LimitExceeded where that was one too many; nothing is taken then."""
        if rate is None:
            return
        now, per_s = self._clock(), rate.amount / rate.per_s
        spent, since = self._spent.get(source, (0.0, now))
        spent = max(0.0, spent - (now - since) * per_s)
        if spent + 1 > rate.amount:
            raise LimitExceeded(
                "Too many wrong keys came from this address: wait before you try another.",
                retry_after_s=(spent + 1 - rate.amount) / per_s,
            )
        self._spent[source] = (spent + 1, now)
        self._spent.move_to_end(source)
        if len(self._spent) > self._most:
            self._spent.popitem(last=False)
