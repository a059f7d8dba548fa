"""aiohttp's connection handler with those defaults closed that would hurt: slow heads, plain-text errors, big buffers.

Leans on aiohttp internals (`RequestHandler.data_received`, `handle_error`, `Server.__call__`): the lock holds aiohttp's
version, and tests/server/test_protocol.py holds each behaviour at every upgrade.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import GatewayError, InternalError, InvalidRequest, RequestRefused
from gaiarouter.server.reply import error_response

_log = structlog.get_logger("gaiarouter.server")

KEEPALIVE_S: Final = 75.0
HEAD_S: Final = 15.0
"""A request's head that has begun must be whole by then."""
_SEND_BUFFER: Final = 128 * 1024
"""Bytes the kernel may hold for a caller that does not read; left alone it grows to megabytes a stream."""


class Connection(RequestHandler):
    __slots__ = ("_dialect", "_head_timer")

    def __init__(self, *args: Any, dialect: Dialect, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialect = dialect
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self._stop_head_timer()
        elif self._head_timer is None and not self._force_close:
            self._head_timer = self._loop.call_later(HEAD_S, self._head_too_slow)

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

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self.transport is not None and not self._messages and not self._request_in_progress:
            error = RequestRefused("The request's head did not arrive in time.", status=408, code="request_timeout")
            body = self._dialect.error_body(error, "")
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            self.force_close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


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
    """aiohttp's runner, serving each connection with `Connection`."""

    def __init__(self, app: web.Application, dialect: Dialect) -> None:
        super().__init__(
            app,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=KEEPALIVE_S,
            auto_decompress=False,
            lingering_time=5.0,
        )
        self._dialect = dialect

    async def _make_server(self) -> web.Server:
        stock = await super()._make_server()
        return _Server(self._dialect, stock)


class _Server(web.Server):
    """A server like `stock`, with our connections."""

    def __init__(self, dialect: Dialect, stock: web.Server) -> None:
        super().__init__(
            stock.request_handler,
            request_factory=stock.request_factory,
            handler_cancellation=stock.handler_cancellation,
            loop=stock._loop,
            **stock._kwargs,
        )
        self._dialect = dialect

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, dialect=self._dialect, **self._kwargs)
