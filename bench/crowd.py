"""`python -m bench.crowd idle|overload|reload`: ten thousand connections on which nothing is asked, three times as many
requests as there is room for, and a table of a thousand routes that is read again every two seconds.

The provider takes 100 ms for each answer, and `server.max_requests` is 40: what the gateway can do is 400 requests a
second, whatever the machine can. Requests come at their times (open loop), each on a connection that is free.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import uvloop

from bench import processes, wire
from bench.soak import minted, until_ready

ANSWERS_AFTER_S: Final = 0.1
ROOM: Final = 40
CAPACITY: Final = ROOM / ANSWERS_AFTER_S
ROUTES: Final = 1000
_RETRY_AFTER: Final = re.compile(rb"\r\nretry-after: *\d", re.IGNORECASE)
_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Provider(asyncio.Protocol):
    """Answers each request ANSWERS_AFTER_S after its last byte."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(wire.HEAD_END)
        length = wire.CONTENT_LENGTH.search(self._received)
        if end >= 0 and length is not None and len(self._received) >= end + 4 + int(length[1]):
            self._received = b""
            asyncio.get_running_loop().call_later(ANSWERS_AFTER_S, self._answer)

    def _answer(self) -> None:
        self._transport.write(_ANSWER % (len(wire.ANSWER), wire.ANSWER))


class Caller(asyncio.Protocol):
    """One connection, one answer at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed without an answer"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(wire.HEAD_END)
        length = wire.CONTENT_LENGTH.search(self._received, 0, max(end, 0))
        if length is not None and len(self._received) >= end + 4 + int(length[1]) and self._answer is not None:
            answer, self._received = self._received, b""
            self._answer.set_result(answer)

    async def ask(self, request: bytes) -> bytes:
        """The answer, head and body."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


async def connected(port: int) -> Caller:
    _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", port)
    return caller


@dataclass
class Seen:
    """statuses: with `lost` for connections that broke. Seconds from the time at which a request was due."""

    statuses: Counter[str] = field(default_factory=Counter)
    admitted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    without_hint: int = 0
    sent_late_s: list[float] = field(default_factory=list)
    """The driver's own delay, which is in all times."""

    def add(self, answer: bytes, seconds: float) -> None:
        status = answer[9:12].decode()
        self.statuses[status] += 1
        (self.admitted_s if status == "200" else self.refused_s).append(seconds)
        self.without_hint += status != "200" and _RETRY_AFTER.search(answer) is None

    def summary(self, seconds: float) -> dict[str, Any]:
        return {
            "answered": dict(self.statuses),
            "goodput_per_s": round(len(self.admitted_s) / seconds, 1),
            "admitted_p50_ms": _ms(self.admitted_s, 0.5),
            "admitted_p99_ms": _ms(self.admitted_s, 0.99),
            "admitted_max_ms": round(1000 * max(self.admitted_s, default=0.0), 2),
            "refused_p99_ms": _ms(self.refused_s, 0.99),
            "refused_without_retry_after": self.without_hint,
            "sent_late_p99_ms": _ms(self.sent_late_s, 0.99),
        }


def _ms(seconds: Sequence[float], share: float) -> float | None:
    if len(seconds) < 2:
        return None
    return round(statistics.quantiles(seconds, n=1000)[round(share * 1000) - 1] * 1000, 2)


class Callers:
    """Those that ask; their connections are kept and used again."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._request = wire.request("json", wire.SMALL_PROMPT, stream=False, key=key, port=port)
        self._free: list[Caller] = []

    async def at(self, rate: float, seconds: float) -> Seen:
        """So many requests a second, whatever becomes of them."""
        loop, seen, running = asyncio.get_running_loop(), Seen(), set[asyncio.Task[None]]()
        start = loop.time()
        for number in range(round(rate * seconds)):
            due = start + number / rate
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(early)
            task = loop.create_task(self._one(seen, due))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        return seen

    async def in_turn(self, many: int, seconds: float) -> Seen:
        """So many at a time, each asking again as soon as it is answered."""
        loop, seen = asyncio.get_running_loop(), Seen()
        end = loop.time() + seconds

        async def ask_on() -> None:
            while (now := loop.time()) < end:
                await self._one(seen, now)

        await asyncio.gather(*(ask_on() for _ in range(many)))
        return seen

    async def _one(self, seen: Seen, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            caller = self._free.pop() if self._free else await connected(self._port)
            seen.sent_late_s.append(loop.time() - due)
            answer = await caller.ask(self._request)
            seen.add(answer, loop.time() - due)
        except OSError:
            seen.statuses["lost"] += 1
            return
        if caller.is_open:
            self._free.append(caller)


@dataclass(frozen=True)
class Subject:
    """written: what stands in `file`."""

    pid: int
    port: int
    key: str
    file: Path
    written: dict[str, Any]


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Subject]:
    loop = asyncio.get_running_loop()
    provider = await loop.create_server(Provider, "127.0.0.1", 0, backlog=1024)
    base = f"http://127.0.0.1:{provider.sockets[0].getsockname()[1]}/v1"
    port = processes.free_port()
    written = {
        "server": {"port": port, "max_requests": ROOM, "max_pending_requests": ROOM},
        "store": f"sqlite:///{folder}/gaia.db",
        "providers": {"main": {"dialect": "openai", "base_url": base, "api_key": "sk-x"}},
        "routes": [{"match": "*", "targets": [{"provider": "main"}]}],
        "limits": {"requests": "unlimited", "tokens": "unlimited", "concurrent": "unlimited"},
    }
    file = folder / "gaiarouter.yaml"
    file.write_text(json.dumps(written))
    command = (sys.executable, "-m", "gaiarouter")
    key = minted(command, file, "--permission", "admin")
    process = processes.start([*command, "serve", "-c", str(file)], cpu=processes.cpus()[0], log=folder / "log")
    try:
        await until_ready(f"http://127.0.0.1:{port}", process)
        yield Subject(process.pid, port, key, file, written)
    finally:
        processes.stop(process)
        provider.close()


async def idle(subject: Subject, many: int) -> dict[str, Any]:
    """Half of them have asked once and are kept, half have never said a word."""
    callers = Callers(subject.port, subject.key)
    await callers.at(50, 5)  # what is made once is made now
    before_rss, before = processes.rss_bytes(subject.pid), await callers.at(50, 20)
    probe = f"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1:{subject.port}\r\n\r\n".encode()
    crowd: list[Caller] = []
    for _ in range(0, many, 100):
        crowd += await asyncio.gather(*(connected(subject.port) for _ in range(100)))
        await asyncio.gather(*(caller.ask(probe) for caller in crowd[-50:]))
    after = await callers.at(50, 20)
    rss = processes.rss_bytes(subject.pid)
    still_open = sum(caller.is_open for caller in crowd)
    return {
        "connections": still_open,
        "kb_each": round((rss - before_rss) / 1000 / max(still_open, 1), 2),
        "alone": before.summary(20),
        "beside_them": after.summary(20),
    }


async def overload(subject: Subject, seconds: float) -> dict[str, Any]:
    callers = Callers(subject.port, subject.key)
    await callers.at(CAPACITY / 2, 3)
    eighty = await callers.at(0.8 * CAPACITY, 10)
    peak = await callers.in_turn(ROOM, 10)
    busy_s = processes.cpu_seconds(subject.pid)
    over = await callers.at(3 * CAPACITY, seconds)
    busy_s = processes.cpu_seconds(subject.pid) - busy_s
    after = [await callers.at(0.8 * CAPACITY, 1) for _ in range(6)]
    calm = [number for number, seen in enumerate(after) if set(seen.statuses) == {"200"}]
    return {
        "at_80_percent": eighty.summary(10),
        "peak": peak.summary(10),
        "at_3_times": over.summary(seconds),
        "busy_at_3_times": round(busy_s / seconds, 2),
        "goodput_of_peak": round(len(over.admitted_s) / seconds / (len(peak.admitted_s) / 10), 3),
        "first_second_without_a_refusal_after_it": calm[0] + 1 if calm else None,
    }


async def reload(subject: Subject, seconds: float) -> dict[str, Any]:
    """A hundred requests a second beside it, each of which the provider holds for ANSWERS_AFTER_S."""
    callers, loop = Callers(subject.port, subject.key), asyncio.get_running_loop()
    await _reloaded(subject, 0)
    alone = await callers.at(100, seconds)
    took_s: list[float] = []
    beside = asyncio.create_task(callers.at(100, seconds))
    while not beside.done():
        began = loop.time()
        await _reloaded(subject, len(took_s) + 1)
        took_s.append(loop.time() - began)
        await asyncio.wait([beside], timeout=2.0)
    return {
        "routes": ROUTES,
        "reloads": len(took_s),
        "reload_ms": round(1000 * statistics.median(took_s)),
        "alone": alone.summary(seconds),
        "beside_them": beside.result().summary(seconds),
    }


async def _reloaded(subject: Subject, number: int) -> None:
    """Every route is another one than before. Returns when the gateway has the new table."""
    more = [{"match": f"m-{number}-{n}", "targets": [{"provider": "main"}]} for n in range(ROUTES - 1)]
    subject.file.write_text(json.dumps({**subject.written, "routes": [*more, *subject.written["routes"]]}, indent=1))
    url, key = f"http://127.0.0.1:{subject.port}/v1/config/reload", {"authorization": f"Bearer {subject.key}"}
    async with aiohttp.ClientSession(headers=key) as session, session.post(url) as answer:
        told = await answer.json()
        if answer.status != 200 or not told["changed"]:
            raise RuntimeError(f"the table was not read again: {told}")


async def run(asked: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder)) as subject:
            began = time.monotonic()
            match asked.what:
                case "idle":
                    found = await idle(subject, asked.connections)
                case "reload":
                    found = await reload(subject, asked.seconds)
                case _:
                    found = await overload(subject, asked.seconds)
    return {**found, "seconds": round(time.monotonic() - began), "load_average": os.getloadavg()[0]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.crowd")
    parser.add_argument("what", choices=("idle", "overload", "reload"))
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload and reload (default 60)")
    asked = parser.parse_args()
    processes.allow_many_files()
    if (cpu := processes.cpus()[1]) is not None:
        os.sched_setaffinity(0, {cpu})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(asked)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
