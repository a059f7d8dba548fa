"""The measurements: each takes one running subject once and returns values by metric. The rounds interleave them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench import processes
from bench.subjects import Running

LEAVE_S: Final = 1.0
"""How long after the callers left an upstream connection may stay open."""
CROWD_LEAVES_S: Final = 10.0
_MOST_RESTS: Final = 20
_AT_REST_BYTES: Final = 1 << 20
"""Likewise of ten thousand: to close them all is some work for the machine."""


class RunFailed(Exception):
    """The load driver got an answer that was not 200, or none."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each is done in a round."""

    small: int = 2500
    large: int = 1200
    streams: int = 100
    paced_passes: int = 1
    burst_passes: int = 2
    latency_s: float = 3.0
    held: int = 1000
    crowd: int = 10_000


class Bench:
    """The upstream and the load driver, both on the CPU that no subject runs on."""

    def __init__(self, cpu: int | None) -> None:
        self._upstream = processes.start([sys.executable, "-m", "bench.upstream"], cpu=cpu, talks=True)
        self._load = processes.start([sys.executable, "-m", "bench.load"], cpu=cpu, talks=True)
        self.upstream_port = int(_line(self._upstream))

    def close(self) -> None:
        processes.stop(self._load)
        processes.stop(self._upstream)

    def load(self, do: str, **command: Any) -> dict[str, Any]:
        assert self._load.stdin is not None
        self._load.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self._load.stdin.flush()
        result: dict[str, Any] = json.loads(_line(self._load))
        if "error" in result:
            raise RunFailed(f"{do} on port {command.get('port')}: {result['error']}")
        return result

    def unfinished_streams(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=5)
        connection.request("GET", "/open")
        count = int(connection.getresponse().read())
        connection.close()
        return count

    def cpu_per_item(self, running: Running, do: str, **command: Any) -> float:
        """Microseconds of the subject's CPU for each request or event of one command, and what is done for it later."""
        before = processes.cpu_seconds(running.process.pid)
        count: int = self.load(do, port=running.subject.port, key=running.subject.key, **command)["count"]
        if do == "requests":  # a stream has thousands of chunks for each record
            time.sleep(running.subject.rest_s)
        return (processes.cpu_seconds(running.process.pid) - before) / count * 1e6


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        raise RunFailed(f"{process.args!r} has ended")
    return line


CONNECTIONS: Final = 8
"""On which requests are asked at once."""

Measurement = Callable[[Bench, Running, Sizes], Mapping[str, float]]


def small(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    return {"request_small": small_on(CONNECTIONS, bench, running, sizes)}


def small_on(connections: int, bench: Bench, running: Running, sizes: Sizes) -> float:
    """A small request, asked on so many connections at once."""
    return bench.cpu_per_item(running, "requests", count=sizes.small, concurrency=connections, prompt="small")


def large(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    return {
        "request_large": bench.cpu_per_item(
            running, "requests", count=sizes.large, concurrency=CONNECTIONS, prompt="large"
        )
    }


def paced(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    passes = [
        bench.cpu_per_item(running, "streams", count=sizes.streams, model="paced") for _ in range(sizes.paced_passes)
    ]
    return {"chunk_paced": sum(passes) / len(passes)}


def burst(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    passes = [
        bench.cpu_per_item(running, "streams", count=sizes.streams, model="burst") for _ in range(sizes.burst_passes)
    ]
    return {"chunk_burst": sum(passes) / len(passes)}


def translated(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    """As `small` and `burst`, by models that are spoken to in their vendor's format. Who does not translate passes the
    same requests on."""
    found: dict[str, float] = {}
    for vendor in ("claude", "gemini"):
        found[f"request_{vendor}"] = bench.cpu_per_item(
            running, "requests", count=sizes.small, concurrency=CONNECTIONS, prompt="small", model=f"{vendor}-json"
        )
        found[f"chunk_{vendor}"] = bench.cpu_per_item(running, "streams", count=sizes.streams, model=f"{vendor}-burst")
    return found


def latency(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    subject = running.subject
    added = bench.load(
        "latency", port=subject.port, key=subject.key, rate=50, seconds=sizes.latency_s, direct=bench.upstream_port
    )
    return {"latency_p50": added["p50"] * 1e6, "latency_p99": added["p99"] * 1e6}


def memory(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    """What an open stream holds, and whether the streams end upstream when their callers leave."""
    before = processes.rss_bytes(running.process.pid)
    bench.load("hold", port=running.subject.port, key=running.subject.key, count=sizes.held)
    held = (processes.rss_bytes(running.process.pid) - before) / sizes.held / 1024
    bench.load("release")
    time.sleep(LEAVE_S)
    return {"stream_memory": held, "left_open": float(bench.unfinished_streams())}


def _resting_bytes(pid: int) -> int:
    """Resident memory when it has ceased to grow: a tokenizer is loaded after the first streams without usage."""
    found = processes.rss_bytes(pid)
    for _ in range(_MOST_RESTS):
        time.sleep(LEAVE_S)
        before, found = found, processes.rss_bytes(pid)
        if found - before < _AT_REST_BYTES:
            break
    return found


def crowd(bench: Bench, running: Running, sizes: Sizes) -> Mapping[str, float]:
    """As `memory`, with ten times as many."""
    before = _resting_bytes(running.process.pid)
    bench.load("hold", port=running.subject.port, key=running.subject.key, count=sizes.crowd)
    held = (processes.rss_bytes(running.process.pid) - before) / sizes.crowd / 1024
    bench.load("release")
    until = time.monotonic() + CROWD_LEAVES_S
    while (left := bench.unfinished_streams()) and time.monotonic() < until:
        time.sleep(0.1)
    return {"crowd_memory": held, "crowd_left_open": float(left)}


EVERY_ROUND: Final[Mapping[str, Measurement]] = {
    "small": small,
    "large": large,
    "paced": paced,
    "burst": burst,
    "translated": translated,
    "latency": latency,
}
"""By the name that `--only` takes."""

EVERY_START: Final[Mapping[str, Measurement]] = {"memory": memory, "crowd": crowd}
"""Wants a fresh process: memory that was used once is not given back."""
