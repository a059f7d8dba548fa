"""Takes usage records out of the request's path: into the journal at once, from there into the store.

1. `record` never waits and never raises: it is called while a caller may already have hung up.
2. A record is in the journal until its batch is committed. The store takes one twice without harm, so after any doubt a
   batch is sent again; what a dead process left is sent by whoever finds it.
3. Disk and memory are bounded. When they are full new requests are refused, or records dropped and counted: as it is
   configured, never silently.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog

from gaiarouter.errors import Unavailable
from gaiarouter.ledger.abandoned import abandoned
from gaiarouter.ledger.journal import Journal
from gaiarouter.ledger.lines import Begun
from gaiarouter.rounds import next_round
from gaiarouter.store.base import StorageUnavailable, Store, UsageRecord
from gaiarouter.telemetry import Metrics

_log = structlog.get_logger("gaiarouter.ledger")

_CLOSING_RETRY_S = 0.05
_FULL_RETRY_S = 30.0
_SEGMENT_BYTES = 4_000_000
_SEGMENTS = 8
_FORGOTTEN_AT_ONCE = 2000
_FORGETTING_REST_S = 0.05
_RESERVED_US = 3600 * 1_000_000
"""What is reserved comes back after so long without a record. A request that runs longer is settled all the same."""


@dataclass(frozen=True, slots=True)
class Pace:
    """linger_s: at most so long between two batches, so that under load one commit carries many records; less after
    few of them, at linger_per_record_s each. The waits after a failure double from retry_s to max_retry_s. look_s:
    between two looks for journals of dead processes, upkeep_s: at the tables."""

    batch: int = 500
    linger_s: float = 1.0
    linger_per_record_s: float = 0.02
    retry_s: float = 0.1
    max_retry_s: float = 5.0
    sync_s: float = 1.0
    look_s: float = 5.0
    upkeep_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Spool:
    """Bounds. bytes: of this process's journal. records: of those in memory, where the disk takes none. drops: beyond
    them records are dropped; else new requests are refused."""

    bytes: int = 1_000_000_000
    records: int = 100_000
    drops: bool = False


class Ledger:
    """The writer of usage records. `start` it in the event loop; `close` it before the store.

    dropped: records lost for want of room. keep_s: how old a record may become; None is for ever.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        metrics: Metrics,
        pace: Pace | None = None,
        spool: Spool | None = None,
        keep_s: float | None = None,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.dropped = 0
        self._store = store
        self._journal = journal
        self._pace = pace or Pace()
        self._spool = spool or Spool()
        self._metrics = metrics
        self._keep_s = keep_s
        self._wall_us = wall_us
        self._memory: deque[UsageRecord] = deque()
        self._under_way: UsageRecord | None = None
        """The first of the last batch, until there is none: the oldest there is, or a batch older."""
        self._filled = asyncio.Event()
        self._closing = asyncio.Event()
        self._rests = False
        """Nothing is to be synced: what is written then sets `_stirred`. Asked first, since it costs a request less."""
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pending(self) -> int:
        """Records that are not known to be in the store yet."""
        return self._journal.pending + len(self._memory)

    @property
    def is_full(self) -> bool:
        return self._journal.size >= self._spool.bytes or len(self._memory) >= self._spool.records

    def start(self) -> None:
        """Raises StorageUnavailable where the journal's folder cannot be used."""
        try:
            self._journal.open()
        except OSError as error:
            raise StorageUnavailable(f"the ledger's folder {self._journal.folder}: {error.strerror}") from error
        self._metrics.on_look(self._tell)
        self._tasks = [
            asyncio.create_task(self._write(), name="ledger"),
            asyncio.create_task(self._tend(), name="ledger-tend"),
        ]

    def begin(self, begun: Begun) -> None:
        """Before a request costs anything. Raises Unavailable where its record would find no room."""
        if self.is_full:
            if self._spool.drops:
                return  # its record may still find room
            raise Unavailable(
                "The gateway cannot keep account of more requests now.",
                code="storage_unavailable",
                retry_after_s=_FULL_RETRY_S,
            )
        if self._rests:
            self._stirred.set()
        try:
            self._journal.begin(begun)
        except OSError as error:
            _log.error("ledger.journal_failed", reason=str(error))  # the record still finds room in memory

    def record(self, record: UsageRecord) -> None:
        if self._spool.drops and self.is_full:
            self._journal.forget(record.id)
            self._drop(1)
            return
        if self._rests:
            self._stirred.set()
        try:
            self._journal.finish(record)
        except OSError as error:
            if not self._memory:
                _log.error("ledger.journal_failed", reason=str(error))
            self._memory.append(record)
        if not self._filled.is_set():
            self._filled.set()

    async def close(self, *, timeout_s: float = 5.0) -> None:
        """Writes what is pending. What the store does not take within the time stays in the journal; what is in memory
        alone is then dropped, and counted."""
        self._closing.set()
        self._filled.set()
        self._stirred.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
                await asyncio.wait([task])
        if self._memory:
            self._drop(len(self._memory))
            self._memory.clear()
        self._journal.close()

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while written := await self._write_batch():
                if written < self._pace.batch:
                    await self._pause(min(self._pace.linger_s, written * self._pace.linger_per_record_s))
            if self._closing.is_set():
                return

    async def _write_batch(self) -> int:
        """How many there were. The journal's first, since they are older."""
        records, end = self._journal.next(self._pace.batch)
        from_memory = not records
        if from_memory:
            records = list(islice(self._memory, self._pace.batch))
        self._under_way = records[0] if records else None
        if records:
            await self._send(records)
        if not from_memory:
            self._journal.take(end, len(records))
        else:
            for _ in records:
                self._memory.popleft()
        self._metrics.ledger_written.inc(len(records))
        return len(records)

    async def _send(self, batch: list[UsageRecord]) -> None:
        """Until the store has taken it."""
        retry_s = self._pace.retry_s
        while not await self._stored(batch):
            await self._pause(retry_s)
            if self._closing.is_set():
                await asyncio.sleep(_CLOSING_RETRY_S)
            retry_s = min(2 * retry_s, self._pace.max_retry_s)

    async def _stored(self, batch: list[UsageRecord]) -> bool:
        try:
            await self._store.add_usage(batch)
        except StorageUnavailable:
            return False
        except Exception:  # noqa: BLE001  # a bug must not end the writer in silence: it is logged, and tried again
            _log.exception("ledger.bug", pending=self.pending)
            return False
        return True

    async def _tend(self) -> None:
        """What has its own time: syncing, looking for the dead, the upkeep of the tables."""
        next_look = next_upkeep = 0.0
        while not self._closing.is_set():
            await self._sync()
            if time.monotonic() >= next_look:
                await self.adopt()
                next_look = next_round(time.monotonic(), self._pace.look_s)
            if time.monotonic() >= next_upkeep:
                await self._keep_up()
                next_upkeep = time.monotonic() + self._pace.upkeep_s
            if self._journal.is_dirty or await self._stirs(next_look):
                await self._pause(self._pace.sync_s)
        await self._sync()

    async def _stirs(self, until: float) -> bool:
        """Waits until something is written, for which nobody is woken every second, or the gateway stops."""
        self._rests = True
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await self._stirred.wait()
        except TimeoutError:
            return False
        finally:
            self._rests = False
            self._stirred.clear()
        return True

    async def _sync(self) -> None:
        try:
            await self._journal.sync()
        except OSError as error:
            _log.error("ledger.sync_failed", reason=str(error))

    async def adopt(self) -> None:
        """Brings what dead processes left into the store; what it does not take now is found again."""
        for found in abandoned(self._journal.folder):
            try:
                count = await found.replay(self._store.add_usage, batch=self._pace.batch, now_us=self._wall_us())
                self._metrics.ledger_replayed.inc(count)
                _log.info("ledger.replayed", records=count)
            except StorageUnavailable:
                return
            except OSError as error:
                _log.error("ledger.replay_failed", reason=str(error))
            finally:
                found.close()

    async def _keep_up(self) -> None:
        """The tables. What does not succeed now has time, and says so: nothing is lost by it."""
        now_us = self._wall_us()
        for step in (
            lambda: self._store.make_room(now_us=now_us),
            lambda: self._store.give_back(before_us=now_us - _RESERVED_US),
            self._forget,
        ):
            try:
                await step()
            except StorageUnavailable as error:
                _log.warning("ledger.upkeep_failed", reason=str(error))

    async def _forget(self) -> None:
        """Records that are too old, in portions that hold nobody up."""
        if self._keep_s is None:
            return
        before_us = self._wall_us() - round(self._keep_s * 1e6)
        while await self._store.forget_usage(before_us=before_us, at_most=_FORGOTTEN_AT_ONCE):
            await self._pause(_FORGETTING_REST_S)
            if self._closing.is_set():
                return

    async def _pause(self, seconds: float) -> None:
        """Cut short by `close`."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass  # the usual end of a pause

    def _tell(self) -> None:
        self._metrics.ledger_pending.set(self.pending)
        self._metrics.ledger_spool_bytes.set(self._journal.size)
        self._metrics.ledger_oldest.set(self._age_s() if self.pending else 0.0)

    def _age_s(self) -> float:
        """Of what waits longest, since its request ended."""
        in_memory = self._memory[0] if self._memory else None
        waiting = [each for each in (self._journal.oldest or self._under_way, in_memory) if each is not None]
        ended_us = min((each.time_us + each.duration_us for each in waiting), default=self._wall_us())
        return max(0.0, (self._wall_us() - ended_us) / 1e6)

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._metrics.ledger_dropped.inc(count)


def ledger_of(store: Store, folder: Path, spool: Spool, metrics: Metrics, keep_s: float | None) -> Ledger:
    """With a journal in `folder` whose segments fit several times into the spool: what is emptied must have room."""
    journal = Journal(folder, segment_bytes=min(_SEGMENT_BYTES, spool.bytes // _SEGMENTS))
    return Ledger(store, journal, metrics=metrics, spool=spool, keep_s=keep_s)
