"""The HTTP/1.1 client to providers that stands on aiohttp's connector and parser; `upstream: {client: aiohttp}`.

Not on its session: what a session does besides (redirects, cookies, retries, proxies from the environment, headers of
its own, decompression without a bound) must not happen here, so it is not there.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable

from aiohttp import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from gaiarouter.errors import ProtocolBroken, TimedOut, Unreachable
from gaiarouter.upstream.aiohttp_client.answer import AiohttpAnswer
from gaiarouter.upstream.aiohttp_client.lease import Lease
from gaiarouter.upstream.aiohttp_client.pool import Pool, Wire
from gaiarouter.upstream.answer import ANSWER_LIMIT
from gaiarouter.upstream.base import AttemptTimeouts, UpstreamRequest
from gaiarouter.upstream.destination import Destination, Destinations, Origin, request_head
from gaiarouter.upstream.faults import FOREIGN, translate
from gaiarouter.upstream.names import Resolver
from gaiarouter.upstream.outgoing import framed

_READ_BUFFER = 64 * 1024
_LINE_LIMIT = 16 * 1024
_HEADER_LIMIT = 128
_INTERIM_LIMIT = 16


class AiohttpUpstream:
    """Like Http1Upstream, and right about the same faults."""

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
        self._pool = Pool(tls, resolver or Resolver(self._loop), on_connect)
        self._destinations = Destinations()
        self._connects: dict[Origin, ClientRequest] = {}
        self._on_stale_retry = on_stale_retry
        self._answer_limit = answer_limit

    @property
    def connections(self) -> tuple[int, int]:
        """Open ones, and of those idle ones."""
        return self._pool.counts

    def permit(self, urls: Iterable[str]) -> None:
        self._destinations.permit(urls)

    async def close(self) -> None:
        await self._pool.close()

    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> AiohttpAnswer:
        destination = self._destinations.find(request.url)
        body = request.body if isinstance(request.body, bytes) else framed(request.body, request.length)
        length = len(body) if isinstance(body, bytes) else request.length
        head = request_head(destination, request.method, request.headers, length)
        connect = self._connect_request(destination)
        key = connect.connection_key
        # a body that comes piece by piece cannot be sent twice, so it is not sent where that may be called for
        connection = await self._pool.idle(key) if isinstance(body, bytes) else None
        if connection is not None:
            lease = Lease(connection, timeouts)
            try:
                return await self._exchange(lease, head, body)
            except ProtocolBroken:
                if lease.wire.heard:
                    raise
            # the provider closed it while it was idle and our request crossed with that: nothing was processed
            self._pool.forget(key)
            if self._on_stale_retry is not None:
                self._on_stale_retry()
        lease = Lease(await self._connect(destination, connect, timeouts), timeouts)
        return await self._exchange(lease, head, body)

    def _connect_request(self, destination: Destination) -> ClientRequest:
        """What the connector wants to know. There are as many as there are origins in the configuration."""
        made = self._connects.get(destination.origin)
        if made is None:
            made = self._connects[destination.origin] = ClientRequest("POST", destination.url, loop=self._loop)
        return made

    async def _connect(self, destination: Destination, request: ClientRequest, timeouts: AttemptTimeouts) -> Connection:
        limit = min(self._loop.time() + timeouts.connect_s, timeouts.deadline)
        try:
            async with asyncio.timeout_at(limit):
                return await self._pool.open(request)
        except TimeoutError as error:
            if destination.origin.host in self._pool.resolver.pending:
                raise Unreachable("The provider's host name was not resolved in time.") from error
            raise TimedOut(
                "The provider did not accept a connection in time.",
                phase="total" if limit == timeouts.deadline else "connect",
            ) from error
        except FOREIGN as error:
            raise translate(error) from error

    async def _exchange(self, lease: Lease, head: bytes, body: bytes | AsyncIterator[bytes]) -> AiohttpAnswer:
        """Writes the request and waits for the head of the answer. Whatever goes wrong, the connection is closed."""
        try:
            _prepare(lease.wire)
            lease.write(head, body)
            message, payload = await _final_head(lease.wire)
            answer = AiohttpAnswer(message, payload, lease, self._answer_limit)
        except FOREIGN as error:
            raise lease.broken(error) from error
        except BaseException:
            lease.drop()
            raise
        lease.watch.head_arrived()
        return answer


def _prepare(wire: Wire) -> None:
    wire.set_response_params(
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=_LINE_LIMIT,
        max_field_size=_LINE_LIMIT,
        max_headers=_HEADER_LIMIT,
    )


async def _final_head(wire: Wire) -> tuple[RawResponseMessage, StreamReader]:
    """The head of the answer itself, after any interim ones (100, 103)."""
    for _ in range(_INTERIM_LIMIT):
        message, payload = await wire.read()
        if message.code >= 200 or message.code == 101:
            return message, payload
    raise ProtocolBroken("The provider sent interim answers without end.")
