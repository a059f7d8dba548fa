"""Where log lines go: a file descriptor that must never make anybody wait.

Who reads the log may stop reading. A write to a full pipe would then hold up the whole process for as long: here it
fails at once, and the line is lost.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable


class Outlet:
    """May be written to by several threads."""

    def __init__(self, descriptor: int) -> None:
        self._write = _writer(descriptor)
        self._lock = threading.Lock()
        self._rest = b""

    def write(self, line: bytes) -> None:
        """Raises BlockingIOError where there is no room for the line, of which nothing comes then. A pipe may take a
        part of one: the rest goes before the next, so that no line begins inside another."""
        with self._lock:
            if self._rest:
                self._rest = self._rest[self._write(self._rest) :]
                if self._rest:
                    raise BlockingIOError("the log takes no more")
            self._rest = line[self._write(line) :]

    def flush(self) -> None:
        """Nothing is kept back."""


def hold_standard_descriptors() -> None:
    """Before anything is opened: a standard descriptor that is closed would become the next file's or socket's, and
    what is meant for people, or the log, would end up there."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _writer(descriptor: int) -> Callable[[bytes], int]:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=os.dup(descriptor))
        return lambda data: sock.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode) or os.isatty(descriptor):  # a terminal can be told to stop, too
        descriptor = _not_waiting(descriptor)
    return lambda data: os.write(descriptor, data)


def _not_waiting(descriptor: int) -> int:
    """The same opened once more: to set this one to not waiting would set it for everybody who has it."""
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return descriptor  # no /proc, or another user's pipe
