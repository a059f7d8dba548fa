"""What the kernel says of a process and its children, and how the benchmark starts and places them."""

from __future__ import annotations

import os
import random
import resource
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


# A program that is installed has its bytecode; one that may not keep it would be compiled again at every start.
_ENVIRONMENT: Final = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of the whole tree, user and system, with the children it has already buried; exact to a tick (10 ms)."""
    return sum(_cpu_ticks(each) for each in tree(pid)) / TICKS_A_SECOND


def _cpu_ticks(pid: int) -> int:
    # the command's name stands in brackets and may hold spaces: utime, stime, cutime, cstime are 11 to 14 behind it
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def rss_bytes(pid: int) -> int:
    """Resident memory of the whole tree. Pages that workers share are counted once for each."""
    return sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) * PAGE for each in tree(pid))


def cpus() -> tuple[int | None, int | None]:
    """One CPU for the subject and one for load and upstream; (None, None) on a machine with a single one."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[1]) if len(available) > 1 else (None, None)


def start(
    command: Sequence[str],
    *,
    cpu: int | None,
    cwd: Path | None = None,
    talks: bool = False,
    log: Path | None = None,
) -> subprocess.Popen[str]:
    """Starts a process on `cpu`. With `talks` its stdin and stdout are pipes, else what it prints goes to `log`."""

    mine = os.sched_getaffinity(0)
    try:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})  # inherited, threads and children too
        with open(log or os.devnull, "w") as printed:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else printed,
                stderr=None if talks else subprocess.STDOUT,
                cwd=cwd,
                env=_ENVIRONMENT,
                text=True,
            )
    finally:
        os.sched_setaffinity(0, mine)


WANTED_FILES: Final = 1 << 16


def allow_many_files() -> int:
    """For this process and all that it starts: how many they may open. Ten thousand streams are twenty thousand
    sockets, more than many machines allow; who may raise that does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < WANTED_FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED_FILES, WANTED_FILES))
            return WANTED_FILES
        except (ValueError, OSError):
            pass  # not root
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def free_port() -> int:
    """Below those that the kernel gives out by itself: no connection is given it before the process has it."""
    while True:
        port = random.randrange(10_000, 20_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
