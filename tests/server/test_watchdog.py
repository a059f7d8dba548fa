"""P9: an event loop that is blocked is noticed, and what blocked it is written down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence

from structlog.testing import capture_logs

from gaiarouter.server.watchdog import Watchdog

BOUND_S = 30.0


def block_the_loop(said: Sequence[Mapping[str, str]]) -> None:
    """Until the watchdog has said so."""
    began = time.monotonic()
    while not blamed(said) and time.monotonic() - began < BOUND_S:
        time.sleep(0.005)


def blamed(said: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Not what else held up the loop: a busy machine may do so at any time."""
    return [each for each in said if "block_the_loop" in each["exception"]]


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
    (once,) = blamed(said)
    assert once["event"] == "loop.blocked"
    assert once["silent_s"] >= 0.05
    assert late_by >= 0.05


async def test_a_loop_that_runs_is_heard_and_nothing_is_said() -> None:
    beats = asyncio.Semaphore(0)
    watchdog = Watchdog(on_lag=lambda _: None, on_beat=[beats.release], beat_s=0.01, blocked_s=BOUND_S)
    with capture_logs() as said:
        watchdog.start()
        try:
            for _ in range(5):
                await asyncio.wait_for(beats.acquire(), BOUND_S)
        finally:
            await watchdog.stop()
    assert said == []
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
