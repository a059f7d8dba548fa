"""Runs the command behind it, Python's own, with a wall clock that can be stepped: SIGALRM an hour on, SIGVTALRM back.

The monotonic clock goes on as it does. Signals may come at any time; what they change is one number.
"""

from __future__ import annotations

import runpy
import signal
import sys
import time

HOUR_S = 3600


class Clock:
    def __init__(self) -> None:
        self.offset_s = 0
        self._time, self._time_ns = time.time, time.time_ns

    def time(self) -> float:
        return self._time() + self.offset_s

    def time_ns(self) -> int:
        return self._time_ns() + self.offset_s * 1_000_000_000

    def step(self, number: int, _: object) -> None:
        self.offset_s += HOUR_S if number == signal.SIGALRM else -HOUR_S


if __name__ == "__main__":
    clock = Clock()
    time.time, time.time_ns = clock.time, clock.time_ns
    for number in (signal.SIGALRM, signal.SIGVTALRM):
        signal.signal(number, clock.step)
    _, _interpreter, _m, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
