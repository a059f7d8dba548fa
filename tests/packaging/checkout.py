"""What a stranger gets: a copy of the tracked files, and a gateway started from them on a free port."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_BOUND_S = 120.0
STOP_BOUND_S = 60.0


def copy_tracked(to: Path) -> None:
    """As `git clone`, but with what is not committed yet: new files count, ignored ones do not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def environment(**more: str) -> dict[str, str]:
    """This one's, without a provider's key or anything of ours."""
    foreign = re.compile(r"GAIAROUTER_|.*_API_KEY$|VIRTUAL_ENV|PYTHON|CI$|PIP_ONLY_BINARY")
    return {**{name: value for name, value in os.environ.items() if not foreign.match(name)}, **more}


@dataclass(frozen=True, slots=True)
class Server:
    """A running gateway; `printed` is what its start said, `pid` the process that was started."""

    port: int
    printed: Path
    pid: int

    @property
    def first_key(self) -> str:
        found = re.search(r"first key +(\S+)", self.printed.read_text())
        assert found is not None, self.printed.read_text()
        return found[1]


@contextmanager
def running(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], port: int, told: bool = False
) -> Iterator[Server]:
    """Runs a command that starts the gateway, until it accepts connections; ends with SIGTERM and a clean exit.

    told: the body has told it to stop, and it ends with 0.
    """
    printed = cwd / "printed.txt"
    with printed.open("w") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        _wait_until_it_listens(process, port, printed)
        yield Server(port, printed, process.pid)
    finally:
        if process.poll() is None and not told:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            status = process.wait(STOP_BOUND_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert status in ((0,) if told else (0, -signal.SIGTERM)), printed.read_text()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, printed: Path) -> None:
    until = time.monotonic() + START_BOUND_S
    while True:
        assert process.poll() is None, printed.read_text()
        assert time.monotonic() < until, printed.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
