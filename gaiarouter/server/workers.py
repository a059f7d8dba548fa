"""Several processes on one port: starts them, restarts one that dies, passes signals on, and ends when all have.

The parent serves nothing. Workers share the port by SO_REUSEPORT, and their metrics through files.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from prometheus_client.multiprocess import mark_process_dead

from gaiarouter.server.run import SIGNALS, STOPS

_log = structlog.get_logger("gaiarouter.workers")

WORKER_VARIABLE: Final = "GAIAROUTER_WORKER"
"""Set in a worker's environment: `2/4/7/FOLDER` is the second of four, with 7 for its lifeline."""
CRASHES: Final = 5
CRASH_WINDOW_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process: one of `count`. lifeline: a descriptor that is at its end when the first process is no more.
    shared: the folder that all of them share."""

    number: int
    count: int
    lifeline: int
    shared: str


def worker_of(environ: Mapping[str, str]) -> Worker | None:
    """None in a process that is no worker."""
    found = re.fullmatch(r"([0-9]+)/([0-9]+)/([0-9]+)/(.+)", environ.get(WORKER_VARIABLE, ""))
    return None if found is None else Worker(int(found[1]), int(found[2]), int(found[3]), found[4])


def kept_in(shared: str) -> Path:
    """Where the last configuration without a mistake is kept: for workers that start when the file has one."""
    return Path(shared) / "configuration"


def have_all_workers_reload(lifeline: int) -> None:
    """In a worker: its parent passes the signal on to all. Where that is gone nobody is told: a worker without it
    ends, and its parent is then somebody else, such as the machine's first process."""
    watch = select.poll()
    watch.register(lifeline)
    if not watch.poll(0):
        os.kill(os.getppid(), signal.SIGHUP)


def supervise(count: int, arguments: Sequence[str], shared: str, told: Mapping[int, Callable[[], None]]) -> int:
    """Runs `count` workers with the same arguments as this process until told to stop. shared: a folder for them.
    told: what signals do that are not passed on.

    Returns 0, or 1 after five crashes within 30 s: something is wrong that a restart does not mend.
    """
    metrics = Path(shared) / "metrics"
    metrics.mkdir()
    lifeline, held = os.pipe()
    try:
        return _Supervisor(count, arguments, shared, str(metrics), lifeline, told).run()
    finally:
        os.close(lifeline)
        os.close(held)


class _Supervisor:
    def __init__(
        self,
        count: int,
        arguments: Sequence[str],
        shared: str,
        metrics: str,
        lifeline: int,
        told: Mapping[int, Callable[[], None]],
    ) -> None:
        self._count = count
        self._shared = shared
        self._metrics = metrics
        self._lifeline = lifeline
        self._told = told
        self._command = [sys.executable, "-m", "gaiarouter", *arguments]
        self._environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._stopping = False

    def run(self) -> int:
        for stop in STOPS:
            signal.signal(stop, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        for number in self._told:
            signal.signal(number, lambda number, _: self._told[number]())
        for number in range(1, self._count + 1):
            self._start(number)
        while self._workers:
            number, status = self._next_death()
            if self._stopping:
                continue
            _log.error("worker.died", worker=number, status=status)
            self._crashes.append(time.monotonic())
            if self._is_crash_loop():
                _log.error("worker.crash_loop", crashes=CRASHES, within_s=CRASH_WINDOW_S)
                self._signal_all(signal.SIGTERM)
                self._stopping = True
                self._wait_for_all()
                return 1
            self._start(number)
        return 0

    def _start(self, number: int) -> None:
        environ = {**self._environ, WORKER_VARIABLE: f"{number}/{self._count}/{self._lifeline}/{self._shared}"}
        # held back until the worker is known here, and in the worker until it can heed them
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        if not self._stopping:  # nobody would tell a worker that comes after the word to stop
            # a group of its own: Ctrl-C in a terminal reaches it once, through this process, not twice
            self._workers[number] = subprocess.Popen(  # our own command line
                self._command, env=environ, process_group=0, pass_fds=[self._lifeline]
            )
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _next_death(self) -> tuple[int, int]:
        pid, status = os.wait()
        number = next(number for number, worker in self._workers.items() if worker.pid == pid)
        worker = self._workers.pop(number)
        worker.returncode = os.waitstatus_to_exitcode(status)
        # its live gauges must not be added to the others'
        mark_process_dead(pid, self._metrics)  # type: ignore[no-untyped-call]  # the library has no annotations there
        return number, worker.returncode

    def _is_crash_loop(self) -> bool:
        return len(self._crashes) == CRASHES and self._crashes[-1] - self._crashes[0] < CRASH_WINDOW_S

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._stopping = True
        self._signal_all(number)

    def _reload(self, number: int, _: FrameType | None) -> None:
        self._signal_all(number)

    def _signal_all(self, number: int) -> None:
        """Not by Popen, which would take a death away from `_next_death`: that worker would never be replaced."""
        for worker in self._workers.values():
            with suppress(ProcessLookupError):
                os.kill(worker.pid, number)

    def _wait_for_all(self) -> None:
        for worker in self._workers.values():
            worker.wait()
