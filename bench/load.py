"""The load driver: commands as JSON lines on stdin, results as JSON lines on stdout. Run as `python -m bench.load`.

    requests  count, concurrency, prompt, model  closed loop on kept connections
    streams   count, model                   that many streams at once, each read to its end
    latency   rate, seconds, direct          open loop; every second request goes straight to the upstream at `direct`
    hold      count                          opens streams, returns when each has spoken; `release` drops them all

Every command names `port` and `key`. An answer that is not 200 ends the run: a refusal must not pass for speed.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterable
from typing import Any, cast

import uvloop

from bench import wire


class BadAnswer(Exception):
    """An answer that was not 200, or a connection that closed in the middle of one."""


class Client(asyncio.Protocol):
    """One connection, one answer at a time. `events` counts the events of all answers so far."""

    def __init__(self) -> None:
        self.events = 0
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._spoken: asyncio.Future[None] = self._loop.create_future()
        self._start()

    def _start(self) -> None:
        self._head = b""
        self._left: int | None = None
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self._done, self._spoken):
            if not future.done():
                future.set_exception(BadAnswer(f"closed in the middle of an answer: {error}"))
                future.exception()

    def data_received(self, data: bytes) -> None:
        if self._left is None:
            data = self._read_head(data)
        if self._left is None or self._done.done():
            return
        if self._left >= 0:
            self._left -= len(data)
            if self._left <= 0:
                self._done.set_result(None)
            return
        self.events += data.count(wire.EVENT)
        if self.events and not self._spoken.done():
            self._spoken.set_result(None)
        self._tail = (self._tail + data[-5:])[-5:]
        if self._tail == wire.LAST_CHUNK:
            self._done.set_result(None)

    def _read_head(self, data: bytes) -> bytes:
        """What follows the head; sets `_left` to the body's length, -1 for a chunked one."""
        self._head += data
        end = self._head.find(wire.HEAD_END)
        if end < 0:
            return b""
        if not self._head.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(BadAnswer(self._head[:600].decode("latin-1")))
            self.transport.abort()
            return b""
        length = wire.CONTENT_LENGTH.search(self._head, 0, end)
        self._left = int(length[1]) if length else -1
        return self._head[end + 4 :]

    async def ask(self, request: bytes) -> None:
        self._start()
        self._done = self._loop.create_future()
        self.transport.write(request)
        await self._done

    async def ask_and_hold(self, request: bytes) -> None:
        """Returns when the stream has spoken; the answer is never finished."""
        self.transport.write(request)
        await self._spoken


async def connect(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


class Driver:
    def __init__(self) -> None:
        self._held: list[Client] = []

    async def run(self, command: dict[str, Any]) -> dict[str, Any]:
        match command.pop("do"):
            case "requests":
                return await self.requests(**command)
            case "streams":
                return await self.streams(**command)
            case "latency":
                return await self.latency(**command)
            case "hold":
                return await self.hold(**command)
            case "release":
                return self.release()
            case unknown:
                raise ValueError(unknown)

    async def requests(
        self, *, port: int, key: str, count: int, concurrency: int, prompt: str, model: str = "json"
    ) -> dict[str, Any]:
        text = wire.LARGE_PROMPT if prompt == "large" else wire.SMALL_PROMPT
        request = wire.request(model, text, stream=False, key=key, port=port)
        left = iter(range(count))
        clients = [await connect(port) for _ in range(concurrency)]

        async def ask_on(client: Client) -> None:
            for _ in left:
                await client.ask(request)

        await asyncio.gather(*map(ask_on, clients))
        _drop(clients)
        return {"count": count}

    async def streams(self, *, port: int, key: str, count: int, model: str) -> dict[str, Any]:
        request = wire.request(model, wire.SMALL_PROMPT, stream=True, key=key, port=port)
        clients = [await connect(port) for _ in range(count)]
        await asyncio.gather(*(client.ask(request) for client in clients))
        _drop(clients)
        return {"count": sum(client.events for client in clients)}

    async def latency(self, *, port: int, key: str, rate: float, seconds: float, direct: int) -> dict[str, Any]:
        """`p50` and `p99` are what the subject adds to a call of the upstream itself, in seconds."""
        loop = asyncio.get_running_loop()
        times: dict[int, list[float]] = {port: [], direct: []}
        clients = {number: await connect(number) for number in times}
        requests = {
            number: wire.request("json", wire.SMALL_PROMPT, stream=False, key=key, port=number) for number in times
        }
        start = loop.time()
        for turn in range(int(rate * seconds) * 2):
            number = (port, direct)[turn % 2]
            await asyncio.sleep(max(0.0, start + turn / rate / 2 - loop.time()))
            asked = time.perf_counter()  # the loop's own clock counts in milliseconds
            await clients[number].ask(requests[number])
            times[number].append(time.perf_counter() - asked)
        _drop(clients.values())
        through, straight = sorted(times[port]), sorted(times[direct])
        return {
            "p50": statistics.median(through) - statistics.median(straight),
            "p99": _percentile(through, 0.99) - _percentile(straight, 0.99),
        }

    async def hold(self, *, port: int, key: str, count: int) -> dict[str, Any]:
        request = wire.request("open", wire.SMALL_PROMPT, stream=True, key=key, port=port)
        for _ in range(0, count, 50):  # no faster than the subject's accept queue
            some = [await connect(port) for _ in range(min(50, count - len(self._held)))]
            await asyncio.gather(*(client.ask_and_hold(request) for client in some))
            self._held += some
        return {"count": len(self._held)}

    def release(self) -> dict[str, Any]:
        count = len(self._held)
        _drop(self._held)
        self._held = []
        return {"count": count}


def _drop(clients: Iterable[Client]) -> None:
    for client in clients:
        client.transport.abort()


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


async def main() -> None:
    driver = Driver()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            result = await driver.run(json.loads(line))
        except BadAnswer as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
