"""The HTTP/1.1 client to providers: one POST, one answer.

It stands on aiohttp's connector and parser, not on its session: what a session does besides (redirects, cookies,
retries, proxies from the environment, headers of its own, decompression without a bound) must not happen here, so it is
not there.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aiohttp import ClientRequest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from gaiarouter.errors import InternalError, ProtocolBroken, TimedOut, Unreachable
from gaiarouter.upstream.answer import ANSWER_LIMIT, HttpResponse
from gaiarouter.upstream.base import AttemptTimeouts, UpstreamRequest
from gaiarouter.upstream.encoding import Inflater, inflater_for
from gaiarouter.upstream.faults import FOREIGN, translate
from gaiarouter.upstream.lease import Lease
from gaiarouter.upstream.pool import Pool, Wire

_READ_BUFFER = 64 * 1024
_LINE_LIMIT = 16 * 1024
_HEADER_LIMIT = 128
_INTERIM_LIMIT = 16
_DESTINATIONS = 1024


@dataclass(frozen=True, slots=True)
class _Destination:
    """What a URL means for the connector and the request line."""

    connect: ClientRequest
    key: ConnectionKey
    start: str


class HttpUpstream:
    """Sends requests to providers over pooled connections. Make it inside the running event loop; close it there.

    It goes only where `permit` says, once that has been called. on_stale_retry is called each
    time a pooled connection turned out dead and a new one took its place. tls: which authorities are trusted, where
    it is not the system's list.
    """

    def __init__(
        self,
        *,
        on_stale_retry: Callable[[], None] | None = None,
        tls: ssl.SSLContext | None = None,
        answer_limit: int = ANSWER_LIMIT,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(tls)
        self._origins: frozenset[str] | None = None
        self._on_stale_retry = on_stale_retry
        self._answer_limit = answer_limit
        self._destinations: dict[str, _Destination] = {}

    def permit(self, urls: Iterable[str]) -> None:
        """Scheme, host and port of these are where it may go, instead of those permitted before."""
        self._origins = frozenset(str(URL(url, encoded=True).origin()) for url in urls)
        self._destinations.clear()

    async def close(self) -> None:
        await self._pool.close()

    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> HttpResponse:
        destination = self._destination(request.url)
        head = _head(destination.start, request.headers, len(request.body))
        connection = await self._pool.idle(destination.key)
        if connection is not None:
            lease = Lease(connection, timeouts)
            try:
                return await self._exchange(lease, head, request.body)
            except ProtocolBroken:
                if lease.wire.heard:
                    raise
            # the provider closed it while it was idle and our request crossed with that: nothing was processed
            self._pool.forget(destination.key)
            if self._on_stale_retry is not None:
                self._on_stale_retry()
        lease = Lease(await self._connect(destination, timeouts), timeouts)
        return await self._exchange(lease, head, request.body)

    def _destination(self, url: str) -> _Destination:
        if (known := self._destinations.get(url)) is not None:
            return known
        parsed = URL(url, encoded=True)
        if self._origins is not None and str(parsed.origin()) not in self._origins:
            raise InternalError("A request was about to leave for an address that no provider is configured with.")
        connect = ClientRequest("POST", parsed, loop=self._loop)
        start = (
            f"POST {parsed.raw_path_qs} HTTP/1.1\r\n"
            f"host: {connect.headers['Host']}\r\n"
            "accept-encoding: identity\r\n"
        )  # fmt: skip
        if len(self._destinations) >= _DESTINATIONS:
            self._destinations.clear()  # deployments in paths could otherwise make it grow with what callers ask for
        made = self._destinations[url] = _Destination(connect, connect.connection_key, start)
        return made

    async def _connect(self, destination: _Destination, timeouts: AttemptTimeouts) -> Connection:
        limit = min(self._loop.time() + timeouts.connect_s, timeouts.deadline)
        try:
            async with asyncio.timeout_at(limit):
                return await self._pool.open(destination.connect)
        except TimeoutError as error:
            if destination.key.host in self._pool.resolver.pending:
                raise Unreachable("The provider's host name was not resolved in time.") from error
            raise TimedOut(
                "The provider did not accept a connection in time.",
                phase="total" if limit == timeouts.deadline else "connect",
            ) from error
        except FOREIGN as error:
            raise translate(error) from error

    async def _exchange(self, lease: Lease, head: bytes, body: bytes) -> HttpResponse:
        """Writes the request and waits for the head of the answer. Whatever goes wrong, the connection is closed."""
        try:
            _prepare(lease.wire)
            lease.write(head, body)
            message, payload = await _final_head(lease.wire)
            inflater = _accept(message)
        except FOREIGN as error:
            raise lease.broken(error) from error
        except BaseException:
            lease.drop()
            raise
        lease.watch.head_arrived()
        return HttpResponse(message, payload, lease, inflater=inflater, answer_limit=self._answer_limit)


def _head(start: str, headers: Mapping[str, str], length: int) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if fields.count("\n") != len(headers) or fields.count("\r") != len(headers) or "\0" in fields:
        raise InternalError("A header for the provider held a line break.")
    return f"{start}{fields}content-length: {length}\r\n\r\n".encode("latin-1")


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


def _accept(message: RawResponseMessage) -> Inflater | None:
    """Raises ProtocolBroken for an answer that must not be read; else says how its body is to be decoded."""
    if message.code == 101 or 300 <= message.code < 400:
        # never followed: prompt and key stay with the provider they were meant for
        raise ProtocolBroken("The provider answered with a redirect or a change of protocol.")
    return inflater_for(message.headers.get("content-encoding"))
