"""The ids of requests and of their usage records."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

_RANDOM_BITS = 64


class RequestIds:
    """Ids that are told to nobody who could gain by guessing one, so that none costs a call of the system."""

    def __init__(
        self, clock_ns: Callable[[], int] = time.time_ns, random_bits: Callable[[int], int] | None = None
    ) -> None:
        self._clock_ns = clock_ns
        self._bits = Random().getrandbits if random_bits is None else random_bits  # noqa: S311  # see above
        self._last = 0

    def record(self) -> str:
        """Unique, and after every one before it, of the same millisecond and of a clock that went back too: a time in
        milliseconds and 64 random bits, 28 hex digits. Of other processes it is told apart by those bits."""
        made = (self._clock_ns() // 1_000_000) << _RANDOM_BITS
        last = self._last
        self._last = made = last + 1 if made <= last else made | self._bits(_RANDOM_BITS)
        return f"{made:028x}"

    def request(self) -> str:
        return f"req_{self._bits(96):024x}"
