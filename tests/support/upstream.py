"""A provider that does what its script says, byte by byte, on a real loopback socket.

    async with ScriptedUpstream(json_answer({"ok": True})) as upstream:
        ...  # call upstream.url("/v1/chat/completions")
        assert upstream.requests[0].json()["model"] == "m"

A script is a sequence of steps. The n-th request over all connections plays the n-th script given, later ones the last;
or give one function from the request to its script. `on_connect` is played first on every connection, before any
request is read. When a script is at its end the connection stays open for the next request (give `Close()`,
`Reset()` or `HalfClose()` for something else). Waits are on events, and every wait of a test has a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

from tests.support.script import Close, Deaf, Drip, HalfClose, Hang, Read, Reset, Script, Send, Step, Until, json_answer

BOUND_S = 30.0
"""How long a test waits for what must happen; never reached when it does, however busy the machine is."""


@dataclass(slots=True)
class Connection:
    """One accepted connection. `gone` is set when the client has closed it, `gone_at` is then the loop's time."""

    number: int
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    gone_at: float | None = None
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in. Header names are in lower case, in the order they were sent."""

    method: str
    path: str
    header_list: tuple[tuple[str, str], ...]
    body: bytes
    connection: Connection
    at: float

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.header_list)

    def json(self) -> Any:
        return json.loads(self.body)


Scripts = Callable[[Received], Script]


class ScriptedUpstream:
    """Listens on 127.0.0.1 while its context is open. `requests` and `connections` say what the client did."""

    def __init__(
        self,
        *scripts: Script | Scripts,
        on_connect: Script = (),
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        send_buffer: int | None = None,
    ) -> None:
        """send_buffer: bytes that the kernel may hold of what was sent, for tests of how much a client takes in."""
        self._scripts = scripts or (json_answer({}),)
        self._on_connect = on_connect
        self._tls = tls
        self.send_buffer = send_buffer
        self.port = port
        self.requests: list[Received] = []
        self.connections: list[Connection] = []
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Wire(self), "127.0.0.1", self.port, ssl=self._tls, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuses connections from now on, and drops those that are open."""
        if self._server is not None:
            self._server.close()
        for wire in list(self._wires):
            await wire.stop()

    def url(self, path: str = "") -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    async def until(self, condition: Callable[[], object], *, within_s: float = BOUND_S) -> None:
        """Returns as soon as `condition()` holds; it is looked at whenever something happens here."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def client_gone(self, connection: int = -1, *, within_s: float = BOUND_S) -> None:
        """Returns when the client has closed that connection."""
        async with asyncio.timeout(within_s):
            await self.connections[connection].gone.wait()

    def script_for(self, request: Received) -> Script:
        script = self._scripts[min(len(self.requests), len(self._scripts)) - 1]
        return script(request) if callable(script) else script

    def note(self) -> None:
        self._changed.set()

    @property
    def on_connect(self) -> Script:
        return self._on_connect

    def opened(self, wire: _Wire) -> Connection:
        self._wires.add(wire)
        connection = Connection(len(self.connections))
        self.connections.append(connection)
        self.note()
        return connection

    def closed(self, wire: _Wire) -> None:
        self._wires.discard(wire)
        self.note()


class _Wire(asyncio.Protocol):
    """One connection: collects what comes, and plays scripts in a task of its own."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        self.received = bytearray()
        self.more = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        if self.upstream.send_buffer is not None:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.upstream.send_buffer)
        self.connection = self.upstream.opened(self)
        self.player = asyncio.get_running_loop().create_task(self._play())

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.more.set()

    def eof_received(self) -> bool:
        self._gone()
        return True  # the script decides when our side closes

    def connection_lost(self, error: Exception | None) -> None:
        self._gone()
        self.writable.set()
        self.upstream.closed(self)
        self.player.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def _gone(self) -> None:
        if self.connection.gone_at is None:
            self.connection.gone_at = asyncio.get_running_loop().time()
        self.connection.gone.set()
        self.more.set()
        self.upstream.note()

    async def stop(self) -> None:
        self.player.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.player
        self.transport.abort()

    async def _play(self) -> None:
        try:
            for step in self.upstream.on_connect:
                await self._step(step)
            while (request := await self._request()) is not None:
                self.upstream.requests.append(request)
                self.upstream.note()
                for step in self.upstream.script_for(request):
                    await self._step(step)
        except _ClientGone:
            pass
        self.transport.close()

    async def _step(self, step: Step) -> None:
        match step:
            case Send(data=data, times=times):
                await self._send(data, times)
            case Drip(data=data, every_s=every_s):
                for i in range(len(data)):
                    await self._send(data[i : i + 1], 1)
                    await asyncio.sleep(every_s)
            case Until(event=event):
                await event.wait()
            case Deaf(event=event):
                self.transport.pause_reading()
                await event.wait()
                self.transport.resume_reading()
            case Read(count=count):
                await self._take(count)
            case Hang():
                await self.connection.gone.wait()
                raise _ClientGone
            case Reset():
                self._reset()
            case HalfClose():
                self.transport.write_eof()
            case Close():
                self.transport.close()
                raise _ClientGone

    async def _send(self, data: bytes, times: int | None) -> None:
        count = 0
        while times is None or count < times:
            await self.writable.wait()
            if self.transport.is_closing():
                raise _ClientGone
            self.transport.write(data)
            self.connection.sent += len(data)
            self.upstream.note()
            count += 1
            if count % 64 == 0:
                await asyncio.sleep(0)

    def _reset(self) -> None:
        sock: socket.socket = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        raise _ClientGone

    async def _take(self, count: int) -> bytes:
        while len(self.received) < count:
            await self._wait_for_more()
        taken = bytes(self.received[:count])
        del self.received[:count]
        return taken

    async def _take_line(self) -> bytes:
        while (end := self.received.find(b"\r\n")) < 0:
            await self._wait_for_more()
        return await self._take(end + 2)

    async def _wait_for_more(self) -> None:
        if self.connection.gone.is_set():
            raise _ClientGone
        self.more.clear()
        await self.more.wait()

    async def _request(self) -> Received | None:
        """The next request, or None when the client closed the connection between two."""
        try:
            start = (await self._take_line()).decode("latin-1").split()
        except _ClientGone:
            return None
        headers: list[tuple[str, str]] = []
        while (line := (await self._take_line()).strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        body = await self._body(dict(headers))
        now = asyncio.get_running_loop().time()
        return Received(start[0], start[1], tuple(headers), body, self.connection, now)

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._take(int(headers.get("content-length", "0")))
        parts: list[bytes] = []
        while (size := int(await self._take_line(), 16)) > 0:
            parts.append(await self._take(size))
            await self._take_line()
        await self._take_line()
        return b"".join(parts)


class _ClientGone(Exception):
    """The connection cannot go on: the script is over."""
