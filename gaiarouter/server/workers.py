"""Several processes on one port: starts them, restarts one that dies, passes signals on, and ends when all have.

The parent serves nothing. Workers share the port by SO_REUSEPORT, and their metrics through files.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Final

import structlog
from prometheus_client.multiprocess import mark_process_dead

from gaiarouter.server.run import SIGNALS, STOPS

_log = structlog.get_logger("gaiarouter.workers")

WORKER_VARIABLE: Final = "GAIAROUTER_WORKER"
"""Set in a worker's environment: `2/4` is the second of four."""
_CRASHES: Final = 5
_CRASH_WINDOW_S: Final = 30.0


def worker_of(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """(number, count) in a worker process, None in a process that is no worker."""
    number, _, count = environ.get(WORKER_VARIABLE, "").partition("/")
    return (int(number), int(count)) if number.isdigit() and count.isdigit() else None


def have_all_workers_reload() -> None:
    """In a worker: its parent passes the signal on to all."""
    os.kill(os.getppid(), signal.SIGHUP)


def supervise(count: int, arguments: Sequence[str]) -> int:
    """Runs `count` workers with the same arguments as this process until told to stop.

    Returns 0, or 1 after five crashes within 30 s: something is wrong that a restart does not mend.
    """
    with tempfile.TemporaryDirectory(prefix="gaiarouter-metrics-") as shared:
        return _Supervisor(count, arguments, shared).run()


class _Supervisor:
    def __init__(self, count: int, arguments: Sequence[str], shared: str) -> None:
        self._count = count
        self._shared = shared
        self._command = [sys.executable, "-m", "gaiarouter", *arguments]
        self._environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": shared}
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._crashes: deque[float] = deque(maxlen=_CRASHES)
        self._stopping = False

    def run(self) -> int:
        for stop in STOPS:
            signal.signal(stop, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        for number in range(1, self._count + 1):
            self._start(number)
        while self._workers:
            number, status = self._next_death()
            if self._stopping:
                continue
            _log.error("worker.died", worker=number, status=status)
            self._crashes.append(time.monotonic())
            if self._is_crash_loop():
                _log.error("worker.crash_loop", crashes=_CRASHES, within_s=_CRASH_WINDOW_S)
                self._signal_all(signal.SIGTERM)
                self._stopping = True
                self._wait_for_all()
                return 1
            self._start(number)
        return 0

    def _start(self, number: int) -> None:
        environ = {**self._environ, WORKER_VARIABLE: f"{number}/{self._count}"}
        # held back until the worker is known here, and in the worker until it can heed them
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        # a group of its own: Ctrl-C in a terminal reaches it once, through this process, not twice
        self._workers[number] = subprocess.Popen(self._command, env=environ, process_group=0)  # our own command line
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _next_death(self) -> tuple[int, int]:
        pid, status = os.wait()
        number = next(number for number, worker in self._workers.items() if worker.pid == pid)
        worker = self._workers.pop(number)
        worker.returncode = os.waitstatus_to_exitcode(status)
        # its live gauges must not be added to the others'
        mark_process_dead(pid, self._shared)  # type: ignore[no-untyped-call]  # the library has no annotations there
        return number, worker.returncode

    def _is_crash_loop(self) -> bool:
        return len(self._crashes) == _CRASHES and self._crashes[-1] - self._crashes[0] < _CRASH_WINDOW_S

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        self._signal_all(number)

    def _reload(self, number: int, _: FrameType | None) -> None:
        self._signal_all(number)

    def _signal_all(self, number: int) -> None:
        for worker in self._workers.values():
            worker.send_signal(number)

    def _wait_for_all(self) -> None:
        for worker in self._workers.values():
            worker.wait()
