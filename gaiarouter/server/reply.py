"""Writes to the caller: a whole body or an event stream, with keep-alives, back-pressure and the hang-up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import web

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import CallerGone, GatewayError, Rejected
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.server.framing import Framing
from gaiarouter.server.headers import error_headers, exchange_headers, exchange_lines, plain_headers, request_id
from gaiarouter.server.turns import Turns
from gaiarouter.server.writing import WRITTEN_LAST, EventStream, write_whole, writes_straight


class HttpReply:
    """Implements pipeline.exchange.Reply for one request; `response` is what the handler returns at the end.

    framing: of streams, where their events do not go out as they are.
    """

    def __init__(self, request: web.Request, clock: Callable[[], float], framing: Framing | None = None) -> None:
        self._request = request
        self._clock = clock
        self._framing = framing
        self._exchange: Exchange | None = None
        self._whole: tuple[str, bytes] | None = None
        """Lines of the head, and the body."""
        self._stream: EventStream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._hold: asyncio.TimerHandle | None = None
        self.started = False
        self.committed = False
        self.response: web.StreamResponse | None = None

    @property
    def stalled(self) -> bool:
        connection = self._request.protocol
        return isinstance(connection, Turns) and connection.stalled

    def attach(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def detach(self) -> None:
        """Nothing more is written. What is left of the request can be freed at once, not when somebody looks for
        objects that hold each other."""
        self.close()
        if self._opening is None:
            self._exchange = None

    def hold(self, seconds: float) -> None:
        self._hold = asyncio.get_running_loop().call_later(seconds, self._end_hold)

    async def answer(self, body: bytes) -> None:
        self.committed = True
        if writes_straight(self._request):
            self._whole = exchange_lines(self._attached(), self._clock()), body
        else:
            self.response = web.Response(body=body, headers=self._headers(), content_type="application/json")

    async def send(self, data: bytes) -> None:
        try:
            if not self.committed:
                self.committed = True
                await self._open()
            await self._write(data)
        except ConnectionError as error:
            raise CallerGone("The caller hung up.") from error

    def send_now(self, data: bytes) -> bool:
        assert self._stream is not None
        try:
            return self._stream.write_now(data if self._framing is None else self._framing.frame(data))
        except ConnectionError as error:
            raise CallerGone("The caller hung up.") from error

    async def room(self) -> None:
        assert self._stream is not None
        try:
            await self._stream.room()
        except ConnectionError as error:
            raise CallerGone("The caller hung up.") from error

    async def fail(self, error: GatewayError) -> None:
        """The end of a request that went wrong: an error body, or an error event if the stream has begun."""
        self._stop_hold()
        exchange = self._attached()
        if self._opening is not None:
            await self._opening
        if self._stream is None:
            self.response = _error_response(error, exchange.dialect, exchange.request_id, self._headers())
        elif not self._stream.keepalive:
            # nothing but a connection that breaks off tells the caller that bytes are missing
            if self._request.transport is not None:
                self._request.transport.abort()
        elif not isinstance(error, CallerGone):
            try:
                await self._write(exchange.dialect.error_event(error, exchange.request_id, exchange.next_number))
            except ConnectionError:
                pass  # nobody is there to be told

    async def written(self) -> None:
        """Writes what is left of the answer: it is part of the request, and a drain waits for it."""
        self.close()
        try:
            if self._whole is not None and self.response is None:
                self.response = WRITTEN_LAST  # as long as it is not known that the caller is there
                self.response = write_whole(self._request, *self._whole)
                if self._request.protocol.writing_paused:
                    await self._request.writer.drain()
                return
            assert self.response is not None
            await self.response.prepare(self._request)
            if self._stream is not None and self._framing is not None:
                await self._stream.write(self._framing.end())
            await self.response.write_eof()
        except ConnectionError:
            pass  # nobody is there to read it

    def close(self) -> None:
        """No more keep-alives. The request is over, or its last bytes are about to be written."""
        if self._hold is not None:
            self._stop_hold()
        if self._stream is not None:
            self._stream.stop_streaming()

    async def _write(self, events: bytes) -> None:
        assert self._stream is not None
        await self._stream.write(events if self._framing is None else self._framing.frame(events))

    async def _open(self) -> None:
        self._stop_hold()
        if self._opening is not None:
            await self._opening
        if self._stream is None:
            await self._start_stream()

    async def _start_stream(self) -> None:
        self.started = True
        exchange, framing = self._attached(), self._framing
        media_type, keepalive = (exchange.dialect.media_type, exchange.dialect.keepalive)
        if framing is not None:
            media_type, keepalive = (framing.media_type, framing.keepalive)
        elif exchange.media_type is not None:
            media_type = exchange.media_type
            keepalive = keepalive if media_type.startswith("text/event-stream") else b""
        self.response = self._stream = EventStream(self._headers(), media_type=media_type, keepalive=keepalive)
        await self._stream.prepare(self._request)

    def _end_hold(self) -> None:
        self._opening = asyncio.create_task(self._start_held())

    async def _start_held(self) -> None:
        try:
            await self._start_stream()
            assert self._stream is not None
            await self._stream.write(self._stream.keepalive)
        except ConnectionError:
            pass  # the request's own task learns of the hang-up by itself

    def _stop_hold(self) -> None:
        if self._hold is not None:
            self._hold.cancel()

    def _headers(self) -> dict[str, str]:
        return exchange_headers(self._attached(), self._clock())

    def _attached(self) -> Exchange:
        assert self._exchange is not None
        return self._exchange


def error_response(error: GatewayError, dialect: Dialect, asked: Mapping[str, str]) -> web.Response:
    """An answer outside the pipeline. asked: the request's headers."""
    made = request_id(asked)
    return _error_response(error, dialect, made, plain_headers(made, dialect))


def _error_response(error: GatewayError, dialect: Dialect, request_id: str, headers: dict[str, str]) -> web.Response:
    body = error.body if isinstance(error, Rejected) and error.body is not None else None
    return web.Response(
        status=dialect.status_of(error),
        body=body or dialect.error_body(error, request_id),
        headers=headers | error_headers(error, dialect),
        content_type="application/json",
    )
