"""Programs of Debian's package `prometheus` for the tests: the machine's own, else fetched without being installed.

`apt-get download` and `dpkg -x` need no rights. The lists of packages are apt's own where it has them; on a fresh
machine they are fetched too, into the same cache folder, and apt's own state stays as it was.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PACKAGE = "prometheus"
RETRIES = ("-o", "Acquire::Retries=5")


def program(name: str, cache: Path) -> Path:
    """`promtool` or `prometheus`. Without apt the test is skipped, and a skipped test fails the suite in CI."""
    if (found := shutil.which(name)) is not None:
        return Path(found)
    unpacked = cache / "unpacked" / "usr" / "bin" / name
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes share the folder
        if not unpacked.exists():
            if shutil.which("apt-get") is None:
                pytest.skip(f"put {name} (of Prometheus) on the PATH: here is no apt to fetch it with")
            _fetch(cache)
    return unpacked


def _fetch(cache: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        if not _download(folder, []):
            lists = cache / "lists"
            (lists / "partial").mkdir(parents=True, exist_ok=True)
            own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]
            subprocess.run(["apt-get", *own, *RETRIES, "-q", "update"], check=True, capture_output=True)
            assert _download(folder, own), f"apt has no package {PACKAGE}"
        (package,) = Path(folder).glob("*.deb")
        unpacked = Path(folder) / "unpacked"
        subprocess.run(["dpkg", "-x", package, unpacked], check=True, capture_output=True)
        unpacked.rename(cache / "unpacked")


def _download(folder: str, options: list[str]) -> bool:
    command = ["apt-get", *options, *RETRIES, "-q", "download", PACKAGE]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0
