"""Where finished lines of the log go: together where they come together, and never at the price of a request."""

from __future__ import annotations

import asyncio
import threading
from typing import Protocol


class Stream(Protocol):
    def write(self, line: bytes, /) -> object: ...

    def flush(self) -> object: ...


class Sink:
    """Standard output may be a closed pipe or a full disk: serving goes on. `dropped`: lines that were lost."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        self.dropped = 0

    def write_soon(self, line: bytes) -> None:
        """With the other lines of the same turn of the event loop, where one runs: a write costs more than a line."""
        with self._lock:
            self._waiting.append(line)
            is_first = len(self._waiting) == 1
        if is_first:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def write(self, line: bytes) -> None:
        with self._lock:
            self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        with self._lock:
            lines, self._waiting = self._waiting, []
            if not lines:
                return
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                self.dropped += len(lines)
