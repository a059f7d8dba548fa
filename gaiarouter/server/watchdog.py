"""Watches the event loop: how late it is, and what it does when it does nothing else.

A task on the loop beats; a thread beside it looks when a beat would be too late. While the loop is blocked nobody can
ask it anything, so that probes of /health fail by themselves; what is missing then is the reason: the thread writes it
down.
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

from gaiarouter.rounds import next_round

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
        self._due = 0.0
        self._loop_thread = 0
        self._stopped = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._listen, name="watchdog", daemon=True)

    def start(self) -> None:
        self._loop_thread = threading.get_ident()
        self._due = next_round(time.monotonic(), self._beat_s)
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
            await asyncio.sleep(self._due - time.monotonic())
            now = time.monotonic()
            self._on_lag(max(0.0, now - self._due))
            self._due = next_round(now, self._beat_s)
            for look in self._on_beat:
                look()

    def _listen(self) -> None:
        patience_s = self._beat_s + self._blocked_s
        wait_s, told_of = patience_s, 0.0
        while not self._stopped.wait(wait_s):
            due = self._due
            silent_s = time.monotonic() - due
            wait_s = self._blocked_s - silent_s  # until it is too late for the beat that is due now
            if wait_s > 0:
                continue
            wait_s = patience_s
            if due != told_of:
                told_of = due  # once a block, however long
                _log.error("loop.blocked", silent_s=round(silent_s, 2), exception=self._stack())

    def _stack(self) -> str:
        """Where the loop's thread is: places in the code, never a value."""
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else "the loop's thread is gone"
