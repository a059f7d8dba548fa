"""The benchmark measures what it says: CPU that is known is found, streams that are open are counted."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import measure, processes, subjects
from bench.measure import Bench, RunFailed, Sizes
from bench.upstream import BURST_EVENTS
from tests.packaging.checkout import ROOT

BURN_US = 3000
TINY = Sizes(small=200, large=50, streams=4, burst_passes=1, latency_s=0.2, held=20)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench(processes.cpus()[1])
    yield made
    made.close()


@pytest.fixture(scope="module")
def floor(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subjects.Running]:
    subject = subjects.floor(bench.upstream_port, tmp_path_factory.mktemp("floor"))
    running = subjects.run(subject, processes.cpus()[0])
    yield running
    processes.stop(running.process)


def test_known_cpu_is_found_again(bench: Bench, floor: subjects.Running, tmp_path: Path) -> None:
    subject = subjects.burning_floor("burner", BURN_US, bench.upstream_port, tmp_path)
    burner = subjects.run(subject, processes.cpus()[0])
    found: list[float] = []
    try:
        while len(found) < 4 and not any(0.85 * BURN_US < more < 1.3 * BURN_US for more in found):
            dear, cheap = (measure.small(bench, subject, TINY)["request_small"] for subject in (burner, floor))
            found.append(dear - cheap)
    finally:
        processes.stop(burner.process)
    assert 0.85 * BURN_US < found[-1] < 1.3 * BURN_US, f"neighbours may spoil a measurement, not each of {found}"


def test_cpu_of_children_counts_and_idling_does_not() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as process:
        until = time.monotonic() + 20
        while processes.cpu_seconds(process.pid) < 0.3:
            assert process.poll() is None
            assert time.monotonic() < until
        assert processes.cpu_seconds(process.pid) < 0.6
        process.communicate(b"\n")


def test_every_event_of_every_stream_is_counted(bench: Bench, floor: subjects.Running) -> None:
    seen = bench.load("streams", port=floor.subject.port, key="-", count=TINY.streams, model="burst")
    first_finish_done = 3
    assert seen == {"count": TINY.streams * (BURST_EVENTS + first_finish_done)}


def test_open_streams_are_held_and_their_ends_reach_the_upstream(bench: Bench, floor: subjects.Running) -> None:
    bench.load("hold", port=floor.subject.port, key="-", count=TINY.held)
    assert bench.unfinished_streams() == TINY.held
    assert bench.load("release") == {"count": TINY.held}
    seen = measure.memory(bench, floor, TINY)
    assert seen["left_open"] == 0


def test_a_call_through_a_subject_takes_longer_than_a_straight_one(bench: Bench, floor: subjects.Running) -> None:
    assert measure.latency(bench, floor, TINY)["latency_p50"] > 0


def test_an_answer_that_is_not_200_ends_the_run(bench: Bench, tmp_path: Path) -> None:
    broken = subjects.floor(processes.free_port(), tmp_path)  # nobody listens behind it
    process = processes.start(broken.command, cpu=None, log=broken.log)
    try:
        while not _listens(broken.port):
            assert process.poll() is None
        with pytest.raises(RunFailed, match="500 Internal Server Error"):
            bench.load("requests", port=broken.port, key="-", count=5, concurrency=1, prompt="small")
    finally:
        processes.stop(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_command_prints_one_table() -> None:
    """The whole run at its smallest, gateway and all."""
    command = [sys.executable, "-m", "bench", "--quick", "--rounds", "1", "--only", "small", "--without", "nginx"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    head, _, row, *_ = done.stdout.splitlines()
    assert [cell.strip() for cell in head.split("|")[2:-1]] == ["floor", "gateway", "ratio", "must", "aim", "verdict"]
    assert "request, 300 B prompt" in row
