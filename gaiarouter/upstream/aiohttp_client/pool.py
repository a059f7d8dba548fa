"""Connections to providers: opened, kept, checked before they are used again.

Rule: a connection goes to a request only if it is clean. The stock pool asks only whether a connection is connected;
one that received bytes while it was idle would then hand those bytes to the next request as its answer.
"""

from __future__ import annotations

import asyncio
import functools
import select
import socket
import ssl
import sys
from collections.abc import Callable

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.tracing import Trace

from gaiarouter.upstream.names import Resolver

_KEEPALIVE_S = 20.0
_DNS_TTL_S = 30
_RECEIVE_BUFFER = 128 * 1024
_NO_TIMEOUT = ClientTimeout()


class Wire(ResponseHandler):
    """One connection. `heard`: bytes have come since it was taken for the present request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.idle = False
        self.heard = False

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if self.idle:
            # an answer to nothing: whoever used this connection next would take it for their own
            self.force_close()
            if self.transport is not None:
                self.transport.abort()
            return
        payload = self._payload
        super().data_received(data)
        if payload is not None and (error := self.exception()) is not None and not payload.is_eof():
            # the parser lets go of a body in whose framing it finds a fault: who waits for more of it must be told
            payload.set_exception(error)

    def resume_reading(self, resume_parser: bool = True) -> None:
        # asked for after every read; unless reading was paused, the stock way is to run the parser on nothing
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def take(self) -> None:
        self.idle = self.heard = False

    def fail(self, error: Exception) -> None:
        """Wakes whoever waits for the next head or bytes with `error`, and drops the connection without a goodbye."""
        transport, payload = self.transport, self._payload
        if payload is not None and not payload.is_eof():
            payload.set_exception(error)
        self.set_exception(error)
        if transport is not None:
            transport.abort()

    def close(self) -> None:
        self.fail(ConnectionAbortedError("closed by us"))
        super().close()

    def abort(self) -> None:
        self.fail(ConnectionAbortedError("closed by us"))
        super().abort()

    async def room(self) -> None:
        """Returns when there is room for more bytes; raises ConnectionError when the connection is lost."""
        await self._drain_helper()

    def is_clean(self) -> bool:
        """Nothing has come since the last answer ended, not even in the kernel: no bytes and no end of the stream."""
        return not self.should_close and self.transport is not None and not _readable(self.transport)


def _new_wire(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Wire(loop)


def _readable(transport: asyncio.Transport) -> bool:
    if sys.platform == "win32":
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))


class Pool(TCPConnector):
    """aiohttp's connector with our wires, bounds and resolver.

    Connections are not limited in number here: the gateway's own limits decide what is let in.
    """

    def __init__(self, tls: ssl.SSLContext | None, resolver: Resolver, on_connect: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.resolver = resolver
        super().__init__(
            ssl=tls or True,
            limit=0,
            keepalive_timeout=_KEEPALIVE_S,
            ttl_dns_cache=_DNS_TTL_S,
            resolver=self.resolver,
            socket_factory=_socket,
        )
        self._factory = functools.partial(_new_wire, loop)
        self._on_connect = on_connect

    @property
    def counts(self) -> tuple[int, int]:
        """Open ones, and of those idle ones."""
        idle = sum(map(len, self._conns.values()))
        return len(self._acquired) + idle, idle

    async def idle(self, key: ConnectionKey) -> Connection | None:
        """A pooled connection that may be used, or None."""
        return await self._get(key, [])

    async def open(self, request: ClientRequest) -> Connection:
        """A new connection, or one that has become idle meanwhile."""
        connection = await self.connect(request, [], _NO_TIMEOUT)
        self._on_connect()
        return connection

    def forget(self, key: ConnectionKey) -> None:
        """Closes the idle connections of `key`: one was found dead, so the others are too."""
        for wire, _ in self._conns.pop(key, ()):
            wire.close()

    async def close(self, *, abort_ssl: bool = True) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self.resolver.close()

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            wire = connection.protocol
            assert isinstance(wire, Wire)
            if wire.is_clean():
                wire.take()
                return connection
            connection.close()
        return None


def _socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    sock = socket.socket(family=family, type=kind, proto=protocol)
    # behind a caller who does not read, the kernel would otherwise take in megabytes for each connection
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    return sock
