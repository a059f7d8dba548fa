"""Where a request comes from: the address of the connection, or what a trusted proxy says of it.

1. A header is believed only as far as proxies of ours wrote it: from the right, the first address that is not theirs.
2. Of the two headers that say it one is read, the one that the proxies write: the other may be the caller's own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from aiohttp import web

from gaiarouter.config.settings import Server

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOPS: Final = 32
_REMEMBERED: Final = 256
"""Characters of a header at most: what callers make up must not fill the memory."""
_ONE_CALLER_BITS: Final = 64
"""Of an IPv6 address: what one customer of a network is given at least, and can choose freely below."""
_FOR: Final = re.compile(r'(?:^|;)\s*for=("[^"]*"|[^";]*)', re.IGNORECASE)
"""Of one hop of a Forwarded header (RFC 7239), as `for="[2001:db8::1]:4711";proto=https`."""


def source_of(request: web.Request, server: Server) -> str:
    """An address, or the network that one caller has to itself; `unknown` on a socket that is a file."""
    peer, trusted = request.remote or "", server.trusted_proxies
    if not trusted:
        return _directly(peer)
    forwarded = ",".join(request.headers.getall(server.forwarded, ()))
    find = _found if len(forwarded) <= _REMEMBERED else _found.__wrapped__
    return find(peer, forwarded, server.forwarded == "forwarded", trusted)


@lru_cache(maxsize=4096)
def _directly(peer: str) -> str:
    """Every request asks, and a connection always has the same answer."""
    return _found.__wrapped__(peer, "", False, ())


@lru_cache(maxsize=4096)
def _found(remote: str, forwarded: str, is_rfc_7239: bool, trusted: tuple[Network, ...]) -> str:
    peer = _address(remote)
    if peer is None:
        return "unknown"
    if trusted and _is_in(peer, trusted):
        hops = reversed(forwarded.rsplit(",", _HOPS)[-_HOPS:])
        peer = _behind(peer, map(_for, hops) if is_rfc_7239 else hops, trusted)
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(peer), _ONE_CALLER_BITS), strict=False))
    return str(peer)


def _behind(peer: Address, hops: Iterator[str], trusted: Sequence[Network]) -> Address:
    """hops: from the nearest."""
    for hop in hops:
        address = _address(_without_port(hop.strip()))
        if address is None:
            break  # what stands further left was not written by who wrote this
        peer = address
        if not _is_in(address, trusted):
            break
    return peer


def _for(hop: str) -> str:
    found = _FOR.search(hop)
    return "" if found is None else found[1].strip().strip('"')


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
