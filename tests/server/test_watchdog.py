"""P9: an event loop that is blocked is noticed, and what blocked it is written down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

from structlog.testing import capture_logs

from gaiarouter.server.watchdog import Watchdog

BOUND_S = 10.0


def block_the_loop(said: Sequence[object]) -> None:
    """Until the watchdog has said so."""
    began = time.monotonic()
    while not said and time.monotonic() - began < BOUND_S:
        time.sleep(0.005)


async def test_p9_what_blocks_the_loop_is_written_down_once() -> None:
    lags: asyncio.Queue[float] = asyncio.Queue()
    watchdog = Watchdog(on_lag=lags.put_nowait, beat_s=0.02, blocked_s=0.05)
    with capture_logs() as said:
        watchdog.start()
        try:
            block_the_loop(said)
            late_by = await asyncio.wait_for(lags.get(), BOUND_S)
        finally:
            await watchdog.stop()
    assert [each["event"] for each in said] == ["loop.blocked"]
    assert "block_the_loop" in said[0]["exception"]
    assert said[0]["silent_s"] >= 0.05
    assert late_by >= 0.05


async def test_a_loop_that_runs_is_heard_and_nothing_is_said() -> None:
    beats = asyncio.Semaphore(0)
    watchdog = Watchdog(on_lag=lambda _: None, on_beat=[beats.release], beat_s=0.01, blocked_s=5.0)
    with capture_logs() as said:
        watchdog.start()
        try:
            for _ in range(5):
                await asyncio.wait_for(beats.acquire(), BOUND_S)
        finally:
            await watchdog.stop()
    assert said == []
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
