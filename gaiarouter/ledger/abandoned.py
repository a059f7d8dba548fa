"""Journals of dead processes: what they finished goes into the store, what they had begun too, as `interrupted`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import structlog

from gaiarouter.ledger.journal import LOCK, SEGMENT
from gaiarouter.ledger.lines import Begun, read_lines
from gaiarouter.ledger.segment import HEAD_BYTES, Segment
from gaiarouter.store.base import UsageRecord

_log = structlog.get_logger("gaiarouter.ledger")

Send = Callable[[list[UsageRecord]], Awaitable[None]]
"""Brings records into the store, or raises StorageUnavailable."""


class Abandoned:
    """A dead process's journal, which nobody else has as long as it is not closed."""

    def __init__(self, lock: Path, descriptor: int) -> None:
        self._lock = lock
        self._descriptor = descriptor
        self._paths = sorted(lock.parent.glob(f"{lock.name.removesuffix(LOCK)}-*{SEGMENT}"))

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self._paths)

    async def replay(self, send: Send, *, batch: int, now_us: int) -> int:
        """Sends all that may not be in the store, and then removes the files. How many records; raises what `send`
        does, and may then be tried again."""
        begun: dict[str, Begun] = {}
        records: list[UsageRecord] = []
        count = 0
        for path in self._paths:
            for entry in _entries(path, begun):
                records.append(entry)
                if len(records) == batch:
                    await send(records)
                    count += len(records)
                    records = []
        records += [each.interrupted(now_us) for each in begun.values()]
        for start in range(0, len(records), batch):
            await send(records[start : start + batch])
        for path in (*self._paths, self._lock):
            path.unlink(missing_ok=True)
        return count + len(records)

    def close(self) -> None:
        os.close(self._descriptor)


def abandoned(folder: Path) -> Iterator[Abandoned]:
    """Each is to be closed. A process that lives, this one too, holds its lock."""
    for lock in sorted(folder.glob(f"*{LOCK}")):
        found = _locked(lock)
        if found is not None:
            yield Abandoned(lock, found)


def _locked(lock: Path) -> int | None:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # another process was quicker, or there are no descriptors now: it is looked for again
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass  # its process lives
    os.close(descriptor)
    return None


def _entries(path: Path, begun: dict[str, Begun]) -> Iterator[UsageRecord]:
    """Records that are not known to be in the store. begun: requests without a record so far, kept up to date."""
    segment = Segment.open(path)
    broken = 0
    try:
        position = HEAD_BYTES
        while data := segment.read(position):
            reached = position
            for entry, offset in read_lines(data):
                reached = position + offset
                if isinstance(entry, Begun):
                    begun[entry.id] = entry
                elif entry is None:
                    broken += 1
                else:
                    begun.pop(entry.id, None)
                    if reached > segment.taken:
                        yield entry
            if reached == position:
                broken += 1  # torn: the process died over it
                break
            position = reached
    finally:
        segment.close(remove=False)
        if broken:
            _log.warning("ledger.broken_lines", file=path.name, lines=broken)
