"""An event loop in a time of its own, which what else the machine does cannot change."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWaiting(selectors.SelectSelector):
    """Nothing is waited for: the time jumps to when the next thing is due."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += timeout or 0.0
        return super().select(0)


class _FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _NoWaiting()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run_fast(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run. What waits for anything but the loop's time waits for ever."""
    with asyncio.Runner(loop_factory=_FastLoop) as runner:
        return runner.run(main)


def p99(times: list[float]) -> float:
    return sorted(times)[round(0.99 * (len(times) - 1))]
