"""How often one source may show a key that is wrong: enough for a mistake, too little for guessing.

A token bucket for each source. Sources that were not heard of for so long that their bucket is full again are forgotten
first; the tables are bounded, so that who can take many addresses cannot fill the memory. A key that has been right is
no guess: those behind an address go on working whatever a neighbour tries.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from gaiarouter.config.settings import Rate
from gaiarouter.errors import LimitExceeded

_SOURCES: Final = 10_000
_RIGHT_KEYS: Final = 10_000


class Guesses:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float], *, sources: int = _SOURCES) -> None:
        self._clock = clock
        self._most = sources
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By source: what is taken out of its bucket, and when that was so."""
        self._right: OrderedDict[bytes, None] = OrderedDict()

    def take(self, source: str, text: str, rate: Rate | None) -> None:
        """Before a key is looked up that may be wrong. Raises LimitExceeded; then nothing is taken."""
        if rate is None or _digest(text) in self._right:
            return
        spent, per_s = self._drained(source, rate), rate.amount / rate.per_s
        if spent + 1 > rate.amount:
            raise LimitExceeded(
                "Too many wrong keys came from this address: wait before you try another.",
                retry_after_s=(spent + 1 - rate.amount) / per_s,
            )
        self._note(source, spent + 1)

    def give_back(self, source: str, text: str, rate: Rate | None) -> None:
        """It could not be looked up."""
        if rate is not None and source in self._spent and _digest(text) not in self._right:
            self._note(source, max(0.0, self._drained(source, rate) - 1))

    def right(self, source: str, text: str, rate: Rate | None) -> None:
        self.give_back(source, text, rate)
        self._right[_digest(text)] = None
        self._right.move_to_end(_digest(text))
        if len(self._right) > _RIGHT_KEYS:
            self._right.popitem(last=False)

    def wrong(self, source: str, text: str, rate: Rate | None) -> None:
        """One that was right before, and is revoked or expired, is a guess like others from now on."""
        if rate is not None and _digest(text) in self._right:
            del self._right[_digest(text)]
            self._note(source, min(rate.amount, self._drained(source, rate) + 1))

    def _drained(self, source: str, rate: Rate) -> float:
        spent, since = self._spent.get(source, (0.0, 0.0))
        return max(0.0, spent - (self._clock() - since) * rate.amount / rate.per_s)

    def _note(self, source: str, spent: float) -> None:
        if not spent:
            del self._spent[source]
            return
        self._spent[source] = (spent, self._clock())
        self._spent.move_to_end(source)
        if len(self._spent) > self._most:
            self._spent.popitem(last=False)


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()
