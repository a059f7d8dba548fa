"""The two shapes that an answer leaves in, written straight to the caller's connection: a whole body, or events.

aiohttp's own way costs several calls, objects and tasks for each write; it is kept for callers of HTTP/1.0 and for
those that close the connection.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from aiohttp_sse import EventSourceResponse
from multidict import CIMultiDict

from gaiarouter.server.turns import Turns, Written

PING_S: Final = 15.0
_CLOSE: Final = "Connection: close\r\n"
STALLED_S: Final = 60.0
"""A caller that takes nothing for this long is given up."""


_WRITTEN: Final = Written(is_last=False)
WRITTEN_LAST: Final = Written(is_last=True)


def writes_straight(request: web.Request) -> bool:
    """Whether `write_whole` may be called: not for HTTP/1.0, nor for a caller that closes the connection."""
    connection = request.protocol
    return (
        isinstance(connection, Turns)
        and connection.is_leaving is not None
        and (connection.head is not None or (request.keep_alive and request.version == HttpVersion11))
    )


def write_whole(request: web.Request, lines: str, body: bytes) -> Written:
    """A 200 with a JSON body, head and body in one write. lines: of the head, each with its end. Raises
    ConnectionError."""
    connection = request.protocol
    assert isinstance(connection, Turns)
    transport = connection.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the caller is gone")
    is_last = connection.is_leaving is not None and connection.is_leaving()
    head = (
        f"HTTP/1.1 200 OK\r\n{lines}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Date: {rfc822_formatted_time()}\r\n{_CLOSE if is_last else ''}\r\n"
    )
    transport.write(head.encode() + body)
    return WRITTEN_LAST if is_last else _WRITTEN


class EventStream(EventSourceResponse):
    """aiohttp-sse's response with the dialect's own keep-alive in place of its ping, and a timer in place of its task.

    A keep-alive may come between any two writes: so every write is of whole events. There is none for bytes that are no
    events.
    """

    def __init__(self, headers: dict[str, str], *, media_type: str, keepalive: bytes) -> None:
        super().__init__(headers=headers, allow_all_methods=True, send_timeout=STALLED_S)
        self.headers["Content-Type"] = media_type
        self.headers.popall("Connection", None)
        self.keepalive = keepalive
        self._beat: asyncio.TimerHandle | None = None
        self._protocol: web.RequestHandler | None = None
        self._is_chunked = True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if self.prepared:
            return self._payload_writer
        if request.transport is None:
            raise ConnectionResetError("the caller is gone")
        if not isinstance(request.protocol, Turns):
            self._set_tcp_user_timeout(request)  # a listener of our own has set it
        self._protocol = request.protocol
        self._is_chunked = request.version >= HttpVersion11
        writer = await web.StreamResponse.prepare(self, request)
        self._headers = CIMultiDict()  # they are on their way, and a stream may last
        self._rest()
        return writer

    def write_now(self, events: bytes) -> bool:
        """Whole events, once `write` has been called. False: the caller reads more slowly than they come, so wait for
        `room` before the next. Raises ConnectionError."""
        protocol = self._protocol
        assert protocol is not None
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the caller is gone")
        if events:
            transport.write(b"%x\r\n%b\r\n" % (len(events), events) if self._is_chunked else events)
        return not protocol.writing_paused

    async def room(self) -> None:
        """Returns when the caller has taken what was written. Raises ConnectionError."""
        assert self._payload_writer is not None
        await self._payload_writer.drain()

    def stop_streaming(self) -> None:
        if self._beat is not None:
            self._beat.cancel()

    def _rest(self) -> None:
        if self.keepalive:
            self._beat = asyncio.get_running_loop().call_later(PING_S, self._keep_alive_now)

    def _keep_alive_now(self) -> None:
        try:
            self.write_now(self.keepalive)
        except ConnectionError:
            return  # the request's own task learns of the hang-up by itself
        self._rest()
