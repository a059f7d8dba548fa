"""The scripted upstream: prebuilt answers, chosen by the request's model. Run as `python -m bench.upstream`.

    json    one answer with its length          burst   BURST_EVENTS events, BURST_WRITE a write, as fast as they go
    paced   an event every 10 ms, PACED_EVENTS  open    one event, then silence until the caller is gone

A model may have a vendor before it (`claude-json`), and be asked in the vendor's format at its path (bench/foreign.py).
`GET /open` answers how many streams are unfinished. Prints its port on the first line.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final, cast

import uvloop

from bench import foreign, wire

BURST_EVENTS: Final = 500
BURST_WRITE: Final = 10
PACED_EVENTS: Final = 100
TICK_S: Final = 0.001
PHASES: Final = 10

_MODEL = re.compile(rb'"model" ?: ?"(?:claude-|gemini-)?(\w+)"')
_MODEL_IN_PATH = re.compile(rb"/models/(\w+):")
_ASKS_USAGE = re.compile(rb'"include_usage" ?: ?true')


def _whole(answer: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer)


_JSON: Final = _whole(wire.ANSWER)
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_FIRST: Final = wire.chunk(wire.event({"role": "assistant", "content": ""}))
_DELTA: Final = wire.chunk(wire.event({"content": " word"}))
_DELTAS: Final = _DELTA * BURST_WRITE
_FINISH: Final = wire.chunk(wire.event({}, finish="stop"))
_USAGE: Final = wire.chunk(wire.usage_event())
_DONE: Final = wire.chunk(b"data: [DONE]\n\n") + wire.LAST_CHUNK


@dataclass(frozen=True, slots=True)
class Pieces:
    """A script as it is written. deltas: of one write."""

    answer: bytes
    first: bytes
    deltas: bytes
    last: bytes


def _pieces(script: foreign.Script) -> Pieces:
    deltas = islice(cycle(map(wire.chunk, script.deltas)), BURST_WRITE)
    first, last = wire.chunk(script.first), wire.chunk(script.last)
    return Pieces(_whole(script.answer), _STREAM_HEAD + first, b"".join(deltas), last + wire.LAST_CHUNK)


_FOREIGN: Final = {start: _pieces(script) for start, script in foreign.SCRIPTS.items()}


class Upstream:
    """What the connections share: the open streams, and the ticker that paces them in PHASES, so that they do not all
    speak in the same millisecond."""

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self._paced: list[dict[Connection, int]] = [{} for _ in range(PHASES)]
        self._next_phase = 0

    def pace(self, connection: Connection) -> None:
        self._next_phase = (self._next_phase + 1) % PHASES
        self._paced[self._next_phase][connection] = PACED_EVENTS

    def forget(self, connection: Connection) -> None:
        self.open.discard(connection)
        for phase in self._paced:
            phase.pop(connection, None)

    async def tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        turn = 0
        while True:
            turn = (turn + 1) % PHASES
            phase = self._paced[turn]
            for connection, left in list(phase.items()):
                phase[connection] = left - 1
                if left > 0:
                    connection.write(_DELTA)
                else:
                    del phase[connection]
                    connection.finish()
            due = max(due + TICK_S, loop.time() - 0.1)
            await asyncio.sleep(due - loop.time())


class Connection(asyncio.Protocol):
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._received = bytearray()
        self._resume: Callable[[], None] | None = None
        self._paused = False
        self._asks_usage = False
        self._deltas = _DELTAS
        self._last: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = cast(asyncio.Transport, transport).write

    def connection_lost(self, error: Exception | None) -> None:
        self._upstream.forget(self)
        self._resume = None

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._resume is not None:
            self._resume()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(wire.HEAD_END)
        if head_end < 0:
            return
        length = wire.CONTENT_LENGTH.search(self._received, 0, head_end)
        end = head_end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < end:
            return
        is_status = self._received.startswith(b"GET /open")
        script = next((each for start, each in _FOREIGN.items() if self._received.startswith(start)), None)
        body = bytes(memoryview(self._received)[0 if script else head_end + 4 : end])
        del self._received[:end]
        if is_status:
            self._answer_status()
        elif script is not None:
            self._answer_in(script, body)
        else:
            self._answer(body)

    def _answer_in(self, script: Pieces, request: bytes) -> None:
        found = _MODEL_IN_PATH.search(request) or _MODEL.search(request)
        if found is None or found[1] == b"json":
            self.write(script.answer)
            return
        self._deltas, self._last = script.deltas, script.last
        self._upstream.open.add(self)
        self.write(script.first)
        self._burst(BURST_EVENTS // BURST_WRITE)

    def _answer_status(self) -> None:
        count = b"%d" % len(self._upstream.open)
        self.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(count), count))

    def _answer(self, body: bytes) -> None:
        found = _MODEL.search(body)
        model = found[1] if found else b""
        if model == b"json":
            self.write(_JSON)
            return
        self._deltas, self._last = _DELTAS, None
        self._asks_usage = _ASKS_USAGE.search(body) is not None
        self._upstream.open.add(self)
        self.write(_STREAM_HEAD + _FIRST)
        if model == b"open":
            self.write(_DELTA)
        elif model == b"paced":
            self._upstream.pace(self)
        else:
            self._burst(BURST_EVENTS // BURST_WRITE)

    def _burst(self, writes: int) -> None:
        """One write each turn of the loop, and none while the other side does not read."""
        if self not in self._upstream.open:
            return
        if self._paused:
            self._resume = lambda: self._burst(writes)
            return
        self._resume = None
        if writes == 0:
            self.finish()
            return
        self.write(self._deltas)
        asyncio.get_running_loop().call_soon(self._burst, writes - 1)

    def finish(self) -> None:
        self._upstream.forget(self)
        if self._last is not None:
            self.write(self._last)
            return
        self.write(_FINISH + (_USAGE if self._asks_usage else b"") + _DONE)


async def main() -> None:
    upstream = Upstream()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await upstream.tick()


if __name__ == "__main__":
    uvloop.run(main())
