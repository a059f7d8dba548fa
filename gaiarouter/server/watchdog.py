"""Watches the event loop: how late it is, and what it does when it does nothing else.

A task on the loop beats; a thread beside it hears whether it does. While the loop is blocked nobody can ask it
anything, so that probes of /health fail by themselves; what is missing then is the reason: the thread writes it down.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Final

import structlog

_log = structlog.get_logger("gaiarouter.server")

BEAT_S: Final = 0.5
BLOCKED_S: Final = 1.0


class Watchdog:
    """on_lag: told with each beat by how many seconds it was late. on_beat: each is called with each beat. Start it on
    the loop; stop it there."""

    def __init__(
        self,
        *,
        on_lag: Callable[[float], None],
        on_beat: Sequence[Callable[[], None]] = (),
        beat_s: float = BEAT_S,
        blocked_s: float = BLOCKED_S,
    ) -> None:
        self._on_lag = on_lag
        self._on_beat = on_beat
        self._beat_s = beat_s
        self._blocked_s = blocked_s
        self._beat_at = 0.0
        self._loop_thread = 0
        self._stopped = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._listen, name="watchdog", daemon=True)

    def start(self) -> None:
        self._loop_thread = threading.get_ident()
        self._beat_at = time.monotonic()
        self._task = asyncio.create_task(self._beat(), name="watchdog")
        self._thread.start()

    async def stop(self) -> None:
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._thread.join()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            now = time.monotonic()
            self._on_lag(max(0.0, now - self._beat_at - self._beat_s))
            self._beat_at = now
            for look in self._on_beat:
                look()

    def _listen(self) -> None:
        told_of = 0.0
        while not self._stopped.wait(self._beat_s / 2):
            beat_at = self._beat_at
            silent_s = time.monotonic() - beat_at - self._beat_s
            if silent_s >= self._blocked_s and beat_at != told_of:
                told_of = beat_at  # once a block, however long
                _log.error("loop.blocked", silent_s=round(silent_s, 2), exception=self._stack())

    def _stack(self) -> str:
        """Where the loop's thread is: places in the code, never a value."""
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else "the loop's thread is gone"
