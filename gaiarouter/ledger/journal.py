"""The journal of one process: every request that began and every one that ended, in files that outlive it.

    FOLDER/ID.lock              held as long as the process lives: who gets it has found a dead one's journal
    FOLDER/ID-00000001.journal  segments, in order; one goes when all of it is in the store

A segment that is full is followed by another, which begins with the requests that are still running: what began is
never only in a file that has gone.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import time
from collections import deque
from itertools import islice
from pathlib import Path
from typing import Final

from gaiarouter.ledger.lines import Begun, read_lines, write_line
from gaiarouter.ledger.segment import Segment
from gaiarouter.store.base import UsageRecord

LOCK: Final = ".lock"
SEGMENT: Final = ".journal"
_KEPT: Final = 10_000
"""Records that wait for the store are read again from the disk only where they are more."""


class Journal:
    """`open` it before anything else.

    pending: records that are not known to be in the store.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = 4_000_000) -> None:
        self.folder = folder
        self.id = f"{time.time_ns() // 1000:014x}{secrets.token_hex(4)}"
        self.pending = 0
        self._segment_bytes = segment_bytes
        self._lock: int | None = None
        self._segments: deque[Segment] = deque()
        self._full_size = 0
        """Of all segments but the last."""
        self._number = 0
        self._running: dict[str, bytes] = {}
        self._kept: deque[tuple[Segment, int, UsageRecord]] = deque()
        """The records that are not in the store, with the places behind them: all (`pending`), or none at all."""

    @property
    def is_drained(self) -> bool:
        return all(segment.taken == segment.size for segment in self._segments)

    @property
    def is_dirty(self) -> bool:
        """Whether `sync` has something to do."""
        return any(segment.dirty for segment in self._segments)

    @property
    def oldest(self) -> UsageRecord | None:
        """The first that is not in the store; None also where that would have to be read."""
        return self._kept[0][2] if self._kept else None

    @property
    def size(self) -> int:
        """Bytes on disk, sent or not."""
        return self._full_size + self._segments[-1].size if self._segments else 0

    def open(self) -> None:
        """Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while self._lock is None:
            self._lock = _locked(self.folder / (self.id + LOCK))
        self._add_segment()

    def begin(self, begun: Begun) -> None:
        """Raises OSError: it is then nowhere that the request is running, which it may do all the same."""
        line = write_line(begun)
        self._running[begun.id] = line
        self._append(line)

    def finish(self, record: UsageRecord) -> None:
        """Raises OSError, and then has kept nothing of the record."""
        self._running.pop(record.id, None)
        segment = self._append(write_line(record))
        if len(self._kept) == self.pending < _KEPT:
            self._kept.append((segment, segment.size, record))
        else:
            self._kept.clear()
        self.pending += 1

    def forget(self, record_id: str) -> None:
        """The request has ended, and its record is not kept."""
        self._running.pop(record_id, None)

    def next(self, most: int) -> tuple[list[UsageRecord], int]:
        """At most so many records that are not in the store yet, the oldest first, and the place behind them, for
        `take`. Empty when all are."""
        while True:
            segment = self._segments[0]
            records, end = self._kept_in(segment, most) or _records(segment, most)
            if records or len(self._segments) == 1:
                if not records:
                    segment.take(end)
                return records, end
            self._full_size -= segment.size
            self._segments.popleft().close(remove=True)

    def take(self, end: int, count: int) -> None:
        """`count` records, up to `end`, are in the store."""
        self._segments[0].take(end)
        for _ in range(min(count, len(self._kept))):
            self._kept.popleft()
        self.pending -= count

    def _kept_in(self, segment: Segment, most: int) -> tuple[list[UsageRecord], int] | None:
        """As `_records`, of what need not be read; None where there is nothing of it."""
        records: list[UsageRecord] = []
        end = 0
        for place, behind, record in islice(self._kept, most):
            if place is not segment:
                break
            records.append(record)
            end = behind
        return (records, end) if records else None

    async def sync(self) -> None:
        """Makes what was written survive a loss of power."""
        for segment in tuple(self._segments):
            if segment.dirty and segment in self._segments:  # which come and go meanwhile
                await asyncio.to_thread(_sync, segment.duplicate())

    def close(self) -> None:
        """What is not in the store stays on disk, for the next process to find."""
        drained = self.is_drained and not self._running
        while self._segments:
            self._segments.popleft().close(remove=drained)
        if self._lock is not None:
            if drained:
                (self.folder / (self.id + LOCK)).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _append(self, line: bytes) -> Segment:
        """The one that the line is in."""
        segment = self._segments[-1]
        if segment.size >= self._segment_bytes:
            segment = self._add_segment()
        segment.append(line)
        return segment

    def _add_segment(self) -> Segment:
        """Whole or not at all: one that lacked a running request would outlive the one that knows of it."""
        self._number += 1
        segment = Segment.create(self.folder / f"{self.id}-{self._number:08d}{SEGMENT}")
        try:
            for line in self._running.values():
                segment.append(line)
        except OSError:
            segment.close(remove=True)
            raise
        self._full_size = self.size
        self._segments.append(segment)
        return segment


def _locked(path: Path) -> int | None:
    """Its descriptor. None if another process, on its look for the dead, had it first and has removed it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    if os.fstat(descriptor).st_nlink:
        return descriptor
    os.close(descriptor)
    return None


def _records(segment: Segment, most: int) -> tuple[list[UsageRecord], int]:
    """Those that are not taken yet, and the place behind the last line that was read."""
    records: list[UsageRecord] = []
    position = segment.taken
    while True:
        reached = position
        for entry, offset in read_lines(segment.read(position)):
            reached = position + offset
            if isinstance(entry, UsageRecord):
                records.append(entry)
                if len(records) == most:
                    return records, reached
        if reached == position:
            return records, position
        position = reached


def _sync(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
