"""How much of its memory the process has taken, and what is done before the kernel does it: fewer come in, idle
connections go.

The limit is the configuration's, else the container's (its cgroup), shared evenly by the workers. Without one nothing
is watched: a machine's memory is not ours alone.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog

_log = structlog.get_logger("gaiarouter.server")

SHED_SHARE: Final = 0.85
CLOSE_SHARE: Final = 0.95
CALM_LOOKS: Final = 4
"""So often in a row there must have been enough before all are let in again."""
_LIMIT_FILES: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_NO_LIMIT: Final = 1 << 60
"""An old cgroup without a limit names one of this order."""


class Gate(Protocol):
    short_of_memory: bool


class Memory:
    """limit: bytes. used: bytes that are taken now. close_idle: closes connections on which nothing is asked."""

    def __init__(
        self, limit: int, gate: Gate, close_idle: Callable[[], None], used: Callable[[], int] | None = None
    ) -> None:
        self._limit = limit
        self._gate = gate
        self._close_idle = close_idle
        self._used = used or resident_bytes
        self._trim = _trim()
        self._calm = 0

    def look(self) -> None:
        share = self._used() / self._limit
        if not self._gate.short_of_memory and share >= SHED_SHARE:
            self._give_back()
            share = self._used() / self._limit
        if share >= SHED_SHARE and not self._gate.short_of_memory:
            _log.warning("memory.short", share=round(share, 2), limit=self._limit)
            self._gate.short_of_memory = True
        self._calm = self._calm + 1 if share < SHED_SHARE else 0
        if self._gate.short_of_memory and self._calm >= CALM_LOOKS:
            _log.info("memory.enough", share=round(share, 2), limit=self._limit)
            self._gate.short_of_memory = False
        if share >= CLOSE_SHARE:
            self._close_idle()

    def _give_back(self) -> None:
        gc.collect()
        self._trim(0)


def resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0  # no /proc: nothing can be said, and nobody is turned away
    return pages * resource.getpagesize()


def container_limit(files: tuple[Path, ...] = _LIMIT_FILES) -> int | None:
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _NO_LIMIT:
            return int(text)
    return None


def _trim() -> Callable[[int], object]:
    """The C library's way to give back what Python has freed and it still holds."""
    import ctypes  # a third of a megabyte, which nobody without a limit needs

    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)  # not every C library has it
