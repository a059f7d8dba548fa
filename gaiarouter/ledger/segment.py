"""One file of a journal: a head that says how much of it is in the store, then lines, written by one process alone.

Plain writes: what was written survives the process, whatever kills it. `sync` makes it survive the machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Self

HEAD_BYTES: Final = 32
_HEAD: Final = b"gaia-journal 1 %016d\n"
_READ_BYTES: Final = 256 * 1024


class Segment:
    """size: bytes in the file. taken: of these, what is in the store, so that a replay begins there."""

    def __init__(self, path: Path, descriptor: int, size: int, taken: int) -> None:
        self.path = path
        self.size = size
        self.taken = taken
        self.dirty = False
        self._descriptor = descriptor
        self._torn = False

    @classmethod
    def create(cls, path: Path) -> Self:
        """Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, (_HEAD % HEAD_BYTES).ljust(HEAD_BYTES - 1) + b"\n", 0)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return cls(path, descriptor, HEAD_BYTES, HEAD_BYTES)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Of another process. A head that cannot be read counts as nothing taken: what is sent twice does no harm."""
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(descriptor).st_size
        digits = os.pread(descriptor, HEAD_BYTES, 0)[len(_HEAD % 0) - 17 :].strip()
        taken = int(digits) if digits.isdigit() else HEAD_BYTES
        return cls(path, descriptor, size, taken if HEAD_BYTES <= taken <= size else HEAD_BYTES)

    def append(self, line: bytes) -> None:
        """One write. Raises OSError; what was written of the line is then made an end of, so that the next is whole."""
        data = b"\n" + line if self._torn else line
        written = os.pwrite(self._descriptor, data, self.size)
        self.size += written
        self.dirty = True
        if written != len(data):
            self._torn = self._torn or written > 0
            raise OSError(f"{self.path.name}: {written} of {len(data)} bytes were written")
        self._torn = False

    def read(self, start: int) -> bytes:
        """What stands there, of whole lines and a piece of one more."""
        return os.pread(self._descriptor, min(_READ_BYTES, max(0, self.size - start)), start)

    def take(self, end: int) -> None:
        """All before `end` is in the store."""
        if end == self.taken:
            return
        self.taken = end
        try:
            os.pwrite(self._descriptor, _HEAD % end, 0)
        except OSError:
            pass  # a full disk: a replay would only send some again

    def duplicate(self) -> int:
        """A descriptor of its own, for syncing in another thread. Not dirty any more."""
        descriptor = os.dup(self._descriptor)
        self.dirty = False
        return descriptor

    def close(self, *, remove: bool) -> None:
        os.close(self._descriptor)
        if remove:
            self.path.unlink(missing_ok=True)
