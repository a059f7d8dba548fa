"""aiohttp's connection handler with those defaults closed that would hurt: slow heads, plain-text errors, big buffers,
and connections taken in until none can go out.

Leans on aiohttp internals (`RequestHandler.data_received`, `handle_error`, `Server.__call__`): the lock holds aiohttp's
version, and tests/server/test_protocol.py holds each behaviour at every upgrade.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import GatewayError, InternalError, InvalidRequest, RequestRefused, Unavailable
from gaiarouter.server.lanes import Lanes, RequestHandlerFunction
from gaiarouter.server.reply import error_response
from gaiarouter.server.turns import Turns
from gaiarouter.server.writing import STALLED_S

_log = structlog.get_logger("gaiarouter.server")

KEEPALIVE_S: Final = 75.0
HEAD_S: Final = 15.0
"""A request's head that has begun must be whole by then."""
_SHUTDOWN_S: Final = 1.0
_SEND_BUFFER: Final = 128 * 1024
"""Bytes the kernel may hold for a caller that does not read; left alone it grows to megabytes a stream."""


_KEPT_SHARE: Final = 5
_KEPT_LEAST: Final = 32
"""One in five file descriptors, and at least so many, are kept for providers, the store and the log."""
_LAST: Final = 8
"""So close to the end there is not even an answer."""
_REFUSED_S: Final = 2.0
"""So long a connection that is not taken in may be silent before it is closed without its answer."""


class Connection(Turns):
    """descriptors: how many files the process may have open. on_shed: called with each connection that is one too
    many; it is told so when it asks for something. is_leaving: see Turns. stalled_s: see Listener."""

    __slots__ = ("_descriptors", "_dialect", "_head_s", "_head_timer", "_is_refused", "_on_shed", "_stalled_ms")

    def __init__(
        self,
        *args: Any,
        dialect: Dialect,
        head_s: float,
        stalled_s: float,
        descriptors: int,
        on_shed: Callable[[str], None],
        is_leaving: Callable[[], bool] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.is_leaving = is_leaving
        self._dialect = dialect
        self._head_s = head_s
        self._stalled_ms = round(stalled_s * 1000)
        self._head_timer: asyncio.TimerHandle | None = None
        self._descriptors = descriptors
        self._on_shed = on_shed
        self._is_refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        # the kernel gives out the lowest number that is free, so it tells how many are taken
        left = self._descriptors - sock.fileno()
        if left <= max(_KEPT_LEAST, self._descriptors // _KEPT_SHARE):
            self._refuse(left)
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._stalled_ms)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self._answer_refused()
            return
        super().data_received(data)
        if not self._awaits_head():
            if self._head_timer is not None:
                self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._head_s, self._head_too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's own answer quotes the offending bytes, a key among them: ours names the fault only."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun, another cannot be sent")
        if status >= 500:
            _log.error("request.unhandled", kind=type(exc).__name__, exc_info=exc)
        response = error_response(_refusal(status, exc), self._dialect, request.headers)
        response.force_close()
        return response

    def _refuse(self, left: int) -> None:
        self._is_refused = True
        self._on_shed("descriptors")
        if left <= _LAST:
            self.force_close()
        else:
            self._head_timer = self._loop.call_later(_REFUSED_S, self.force_close)

    def _answer_refused(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            error = Unavailable("The gateway has no file descriptors left; try again soon.", retry_after_s=1.0)
            self.transport.write(_bytes_of(error_response(error, self._dialect, {})))
            self.force_close()

    def _awaits_head(self) -> bool:
        """Idle but for the bytes that have just come; not while a body is read, be it to be thrown away."""
        return self._waiter is not None and not self._waiter.done() and not self._force_close

    def close_idle(self) -> None:
        if self._awaits_head() and self._head_timer is None:
            self.force_close()

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self.transport is not None and self._awaits_head():
            error = RequestRefused("The request's head did not arrive in time.", status=408, code="request_timeout")
            self.transport.write(_bytes_of(error_response(error, self._dialect, {})))
            self.force_close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _bytes_of(response: web.Response) -> bytes:
    """An answer to what is no request yet, and therefore has nothing that could write it."""
    assert isinstance(response.body, bytes)
    head = f"HTTP/1.1 {response.status} {response.reason}\r\n"
    lines = [f"{name}: {value}\r\n" for name, value in response.headers.items()]
    end = f"Content-Length: {len(response.body)}\r\nConnection: close\r\n\r\n"
    return "".join([head, *lines, end]).encode("latin-1") + response.body


def _refusal(status: int, exc: BaseException | None) -> GatewayError:
    if status >= 500:
        return InternalError("The gateway made a mistake; its log has the details.")
    if isinstance(exc, LineTooLong):
        return RequestRefused(
            "A line of the request's head is longer than 8190 bytes.",
            status=431,
            code="request_header_fields_too_large",
        )
    return InvalidRequest("The request is not well-formed HTTP.")


class Listener(web.AppRunner):
    """aiohttp's runner, serving each connection with `Connection`.

    head_s: see HEAD_S. keepalive_s: how long a connection may be idle. stalled_s: see writing.STALLED_S. on_shed: see
    Connection. is_leaving: an answer is then the last of its connection: the caller's next request goes to another
    process.
    """

    def __init__(
        self,
        app: web.Application,
        dialect: Dialect,
        *,
        head_s: float = HEAD_S,
        keepalive_s: float = KEEPALIVE_S,
        stalled_s: float = STALLED_S,
        on_shed: Callable[[str], None] = lambda why: None,
        is_leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(
            app,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=keepalive_s,
            auto_decompress=False,
            lingering_time=5.0,
            # after a drain: what then still runs does not heed that it was cancelled
            shutdown_timeout=_SHUTDOWN_S,
        )
        self._dialect = dialect
        self._head_s = head_s
        self._stalled_s = stalled_s
        self._on_shed = on_shed
        self._is_leaving = is_leaving
        self._is_watched = bool(app.on_response_prepare or app.middlewares)
        """Somebody else has a say in what is answered."""
        app.on_response_prepare.append(self._take_leave)

    async def _take_leave(self, _: web.Request, response: web.StreamResponse) -> None:
        if self._is_leaving():
            response.headers["Connection"] = "close"
            response.force_close()

    @property
    def open_connections(self) -> int:
        return len(self.server.connections) if self.server is not None else 0

    def close_idle(self) -> None:
        """Closes the connections on which nothing is asked."""
        for connection in self.server.connections if self.server is not None else ():
            if isinstance(connection, Connection):
                connection.close_idle()

    async def _make_server(self) -> web.Server:
        stock = await super()._make_server()
        handler = stock.request_handler if self._is_watched else Lanes(self.app).handle
        return _Server(
            stock,
            handler,
            dialect=self._dialect,
            head_s=self._head_s,
            stalled_s=self._stalled_s,
            on_shed=self._on_shed,
            is_leaving=None if self._is_watched else self._is_leaving,
        )


class _Server(web.Server):
    """A server like `stock`, with our connections. of_connection: what they are made with."""

    def __init__(self, stock: web.Server, handler: RequestHandlerFunction, **of_connection: Any) -> None:
        super().__init__(
            handler,
            request_factory=stock.request_factory,
            handler_cancellation=stock.handler_cancellation,
            loop=stock._loop,
            **stock._kwargs,
        )
        self._connection = partial(
            Connection,
            self,
            loop=stock._loop,
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            **of_connection,
            **stock._kwargs,
        )

    def __call__(self) -> RequestHandler:
        return self._connection()
