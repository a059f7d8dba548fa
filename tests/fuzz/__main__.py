"""Runs the targets under atheris, each in a process of its own: `python -m tests.fuzz [TARGET…] [--seconds 60]`.

A crash, an input that takes more than two seconds, or a process of more than 512 MiB ends a target; the input is then
written to the working folder, for a unit test to hold.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_SUMMARY = re.compile(r"stat::number_of_executed_units:\s+(\d+)|Done (\d+) runs")
_INSTRUMENTED = [
    "gaiarouter.config.document",
    "gaiarouter.dialects.body",
    "gaiarouter.dialects.members",
    "gaiarouter.dialects.sse",
    "gaiarouter.dialects.waiting",
    "gaiarouter.routing.glob",
    "gaiarouter.server.credentials",
    "gaiarouter.store.keys",
    "gaiarouter.upstream.http1.wire",
]


def fuzz(name: str, flags: list[str]) -> None:
    """Does not return."""
    import atheris  # it is no part of the development environment

    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz import targets  # it is instrumented as it is imported
    atheris.Setup([sys.argv[0], *flags], targets.TARGETS[name])
    atheris.Fuzz()


def run(name: str, seconds: int) -> bool:
    """Says how often the target was run. False where it failed."""
    from tests.fuzz.targets import SEEDS  # not before `fuzz` can instrument it

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[name]):
            (Path(corpus) / str(number)).write_bytes(seed)
        flags = [
            f"-max_total_time={seconds}",
            "-timeout=2",
            "-rss_limit_mb=512",
            "-max_len=2048",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", "tests.fuzz", "--inside", name, "--", *flags, corpus]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    counts = [int(one or other) for one, other in _SUMMARY.findall(said)]
    print(
        f"{name}: {max(counts, default=0):,} executions, {'no failure' if done.returncode == 0 else 'FAILED'}",
        flush=True,
    )
    if done.returncode != 0:
        print(said[-4000:])
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes what reads bytes from outside.")
    parser.add_argument("targets", nargs="*", help="all, where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--inside", metavar="TARGET", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here: pip install atheris", file=sys.stderr)
        return 2
    if chosen.inside:
        fuzz(chosen.inside, chosen.targets)
    from tests.fuzz.targets import TARGETS

    results = [run(name, chosen.seconds) for name in chosen.targets or TARGETS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
