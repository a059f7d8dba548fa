"""Addresses that callers name: which may be asked at all, and connections that lead nowhere but to the open internet.

An address is judged where it is used, so that nothing in between can change it: each one that a name leads to, each one
that a socket is opened for, and the peer of each connection before a byte is sent to it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable

from aiohttp import ClientConnectionError, ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.tracing import Trace
from yarl import URL

Allows = Callable[[str], bool]
"""Whether an IP address may be called."""

_LONGEST_URL = 8192
_WEB_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024
# 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to whoever connects; no host's name ends in a number (WHATWG)
_NUMERIC = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.*", re.IGNORECASE)

NOWHERE = "its host leads to no public address"
"""One text for names that do not exist and for those inside: a caller must not learn which names there are."""


_NO_URL = (ValueError, IndexError)  # the latter for `http://[]:@`, of which the parser does not think


class NotAllowed(Exception):
    """An address that is not asked. The text says why, with nothing of the address in it."""


def address_of(url: str, allows: Allows) -> URL:
    """What a caller wrote, as it may be asked: its path and query go out as they are written. Raises NotAllowed."""
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url or "\\" in url:
        raise NotAllowed("it is no web address")
    try:
        return _checked(URL(url, encoded=url.isascii()), allows)
    except _NO_URL:
        raise NotAllowed("it is no web address") from None


def redirected(url: URL, location: str | None, allows: Allows) -> URL:
    """Where an answer leads that came from `url`. Raises NotAllowed."""
    try:
        return address_of(str(url.join(URL(location or "", encoded=True))), allows)
    except _NO_URL:
        raise NotAllowed("its server redirects to what is no web address") from None


def _checked(url: URL, allows: Allows) -> URL:
    host = url.raw_host
    if url.scheme not in ("http", "https") or not host:
        raise NotAllowed("it is no web address")
    if url.user is not None or url.password is not None:
        raise NotAllowed("an address with a user or a password is not loaded")
    if url.port not in _WEB_PORTS and not (url.port and url.port >= _FIRST_FREE_PORT):
        raise NotAllowed("its port is not one of the web's")
    if not _may_be_named(host, allows):
        raise NotAllowed(NOWHERE)
    return url


def _may_be_named(host: str, allows: Allows) -> bool:
    """False for an IP address that is not allowed, or that is not in its usual notation; names are looked up later."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _NUMERIC.fullmatch(host) is None and ":" not in host
    return allows(host)


class Outward(TCPConnector):
    """Connections for one request each, to allowed addresses only. Their number is bounded by who makes requests."""

    def __init__(self, allows: Allows, names: AbstractResolver, tls: ssl.SSLContext | None) -> None:
        self._allows = allows
        super().__init__(
            ssl=tls or True,
            limit=0,
            force_close=True,
            use_dns_cache=False,
            resolver=_AllowedNames(names, allows),
            socket_factory=self._socket,
        )

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109  # the connector's own signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        assert connection.transport is not None
        peer = connection.transport.get_extra_info("peername")
        if peer is None or not self._allows(peer[0]):
            connection.close()
            raise ClientConnectionError("the peer of the connection may not be called")
        return connection

    def _socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, place = address
        if not self._allows(str(place[0])):
            raise OSError("the address may not be called")
        return socket.socket(family=family, type=kind, proto=protocol)


class _AllowedNames(AbstractResolver):
    """Names by another resolver, without the addresses that are not allowed. What it returns is what is connected to:
    a name that changes its mind is not asked again."""

    def __init__(self, names: AbstractResolver, allows: Allows) -> None:
        self._names = names
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [result for result in await self._names.resolve(host, port, family) if self._allows(result["host"])]
        if not found:
            raise OSError(NOWHERE)
        return found

    async def close(self) -> None:
        await self._names.close()
