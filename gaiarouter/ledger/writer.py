"""Takes usage records out of the request's path and brings them into the store.

1. `record` never waits and never raises: it is called while a caller may already have hung up.
2. A record stays in memory until its batch is committed. The store takes one twice without harm, so after any doubt a
   batch is sent again.
3. Memory is bounded. What does not fit is counted, never silently lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import structlog

from gaiarouter.store.base import StorageUnavailable, Store, UsageRecord

_log = structlog.get_logger("gaiarouter.ledger")

_CLOSING_RETRY_S = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """linger_s: at most so long between two batches, so that under load one commit carries many records; less after
    few of them, at linger_per_record_s each. The waits after a failure double from retry_s to max_retry_s."""

    batch: int = 500
    linger_s: float = 1.0
    linger_per_record_s: float = 0.02
    retry_s: float = 0.1
    max_retry_s: float = 5.0


class Ledger:
    """The writer of usage records. `start` it in the event loop; `close` it before the store.

    dropped: records lost for want of memory, or because the store stayed away until the end.
    on_drop: called with the number of records each time that happens.
    """

    def __init__(
        self,
        store: Store,
        *,
        capacity: int = 100_000,
        pace: Pace | None = None,
        on_drop: Callable[[int], None] | None = None,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._capacity = capacity
        self._pace = pace or Pace()
        self._on_drop = on_drop
        self._queue: deque[UsageRecord] = deque()
        self._filled = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Records that are not in the store yet."""
        return len(self._queue)

    def start(self) -> None:
        self._writer = asyncio.create_task(self._write(), name="ledger")

    def record(self, record: UsageRecord) -> None:
        if len(self._queue) >= self._capacity:
            self._drop(1)
            return
        self._queue.append(record)
        self._filled.set()

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Writes what is pending. What the store does not take within the time is counted as dropped."""
        self._closing.set()
        self._filled.set()
        if self._writer is not None:
            _, late = await asyncio.wait([self._writer], timeout=timeout_s)
            for task in late:
                task.cancel()
                await asyncio.wait([task])
        if self._queue:
            self._drop(len(self._queue))
            self._queue.clear()

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                written = await self._write_batch()
                if len(self._queue) < self._pace.batch:
                    await self._pause(min(self._pace.linger_s, written * self._pace.linger_per_record_s))
            if self._closing.is_set():
                return

    async def _write_batch(self) -> int:
        batch = list(islice(self._queue, self._pace.batch))
        retry_s = self._pace.retry_s
        while not await self._stored(batch):
            await self._pause(retry_s)
            if self._closing.is_set():
                await asyncio.sleep(_CLOSING_RETRY_S)
            retry_s = min(2 * retry_s, self._pace.max_retry_s)
        for _ in batch:
            self._queue.popleft()
        return len(batch)

    async def _stored(self, batch: list[UsageRecord]) -> bool:
        try:
            await self._store.add_usage(batch)
        except StorageUnavailable:
            return False
        except Exception:  # noqa: BLE001  # a bug must not end the writer in silence: it is logged, and tried again
            _log.exception("ledger.bug", pending=self.pending)
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        """Cut short by `close`."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            pass  # the usual end of a pause

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self._on_drop is not None:
            self._on_drop(count)
