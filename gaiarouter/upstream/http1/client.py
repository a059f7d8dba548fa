"""Our own HTTP/1.1 client to providers: one POST, one answer, straight on the transport.

What is not asked of it does not exist: no redirects, no cookies, no proxies from the environment, no headers of its
own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from gaiarouter.errors import ProtocolBroken
from gaiarouter.upstream.answer import ANSWER_LIMIT
from gaiarouter.upstream.base import AttemptTimeouts, UpstreamRequest
from gaiarouter.upstream.destination import Destinations, Origin, request_head
from gaiarouter.upstream.http1.answer import Http1Answer
from gaiarouter.upstream.http1.connections import Connections
from gaiarouter.upstream.http1.wire import Wire
from gaiarouter.upstream.names import Names, Resolver
from gaiarouter.upstream.outgoing import ONE_WRITE, framed, pour

_COPIED: Final = 16 * 1024
"""A body of so many bytes is cheaper copied behind its head than handed over beside it."""


class Http1Upstream:
    """Sends requests to providers over pooled connections. Make it inside the running event loop; close it there.

    It goes only where `permit` says, once that has been called. on_stale_retry is called each time a pooled connection
    turned out dead and a new one took its place, on_connect each time one was opened. tls: which authorities are
    trusted, where it is not the system's list.
    """

    def __init__(
        self,
        *,
        on_stale_retry: Callable[[], None] | None = None,
        on_connect: Callable[[], None] = lambda: None,
        tls: ssl.SSLContext | None = None,
        answer_limit: int = ANSWER_LIMIT,
        resolver: Resolver | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = Connections(Names(resolver or Resolver(self._loop)), tls, on_connect)
        self._destinations = Destinations()
        self._on_stale_retry = on_stale_retry
        self._answer_limit = answer_limit

    @property
    def connections(self) -> tuple[int, int]:
        """Open ones, and of those idle ones."""
        return self._connections.counts

    def permit(self, urls: Iterable[str]) -> None:
        """Scheme, host and port of these are where it may go, instead of those permitted before."""
        self._destinations.permit(urls)

    async def close(self) -> None:
        await self._connections.close()

    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> Http1Answer:
        destination = self._destinations.find(request.url)
        origin = destination.origin
        body, length = request.body, request.length
        if isinstance(body, bytes):
            length = len(body)
        else:
            body = framed(body, length)
        head = request_head(destination, request.method, request.headers, length)
        # a body that comes piece by piece cannot be sent twice, so it is not sent where that may be called for
        wire = self._connections.take(origin) if isinstance(body, bytes) else None
        if wire is not None:
            try:
                return await self._exchange(wire, origin, head, body, timeouts)
            except ProtocolBroken:
                if wire.heard:
                    raise
            # the provider closed it while it was idle and our request crossed with that: nothing was processed
            self._connections.forget(origin)
            if self._on_stale_retry is not None:
                self._on_stale_retry()
        wire = await self._connections.open(origin, timeouts)
        return await self._exchange(wire, origin, head, body, timeouts)

    async def _exchange(
        self,
        wire: Wire,
        origin: Origin,
        head: bytes,
        body: bytes | AsyncIterator[bytes],
        timeouts: AttemptTimeouts,
    ) -> Http1Answer:
        """Writes the request and waits for the head of the answer. Whatever goes wrong, the connection is closed."""
        pouring = None
        try:
            wire.begin(timeouts)
            pouring = _write(wire, head, body)
            await wire.head()
            return Http1Answer(wire, origin, self._connections, pouring, self._answer_limit)
        except BaseException:
            if pouring is not None:
                pouring.cancel()
            wire.abort()
            raise


def _write(wire: Wire, head: bytes, body: bytes | AsyncIterator[bytes]) -> asyncio.Task[None] | None:
    """A large body goes out beside the wait for the answer: a provider may refuse it before it has read it."""
    transport = wire.transport
    if transport is None:
        return None  # it was lost just now; who waits for the answer learns of it
    if isinstance(body, bytes) and len(body) <= ONE_WRITE:
        if len(body) <= _COPIED:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        return None
    transport.write(head)
    return asyncio.create_task(pour(wire, body, wire.watch))
