"""Host names to addresses, for every way out of the gateway.

A name that leads to a metadata service is refused; only a configured URL with that very address reaches it, for
addresses do not come here. The addresses returned are the ones connected to, so a name cannot change in between.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

_RESOLVER_THREADS = 4
_FRESH_S = 30.0
_UNKNOWN_S = 1.0
_MOST_NAMES = 1024

_METADATA = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fd00:ec2::254/128"))

Address = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""As `socket.getaddrinfo` gives it: family, type, protocol, name, place."""


class Resolver(AbstractResolver):
    """Asks the system, in a few threads of its own: a resolver that hangs holds up no one else, nor the process's end.
    (An executor's threads are waited for there.)"""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = asyncio.Semaphore(_RESOLVER_THREADS)
        self.pending: set[str] = set()
        """Names being looked up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.pending.add(host)
        try:
            found = await self._looked_up(host, port, family)
        finally:
            self.pending.discard(host)
        allowed = [result for result in found if not is_metadata_address(result["host"])]
        if not allowed:
            raise OSError("the name leads to no address that may be used")
        return allowed

    async def close(self) -> None:
        """Nothing is kept: a thread ends with its answer, or with the process."""

    async def _looked_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        await self._threads.acquire()
        answer: asyncio.Future[list[ResolveResult]] = self._loop.create_future()

        def look_up() -> None:
            found: list[ResolveResult] | OSError = OSError("the look-up failed")
            try:
                found = _look_up(host, port, family)
            except OSError as error:
                found = error
            finally:
                with suppress(RuntimeError):  # the loop is closed by now
                    self._loop.call_soon_threadsafe(self._over, answer, found)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return await answer

    def _over(self, answer: asyncio.Future[list[ResolveResult]], found: list[ResolveResult] | OSError) -> None:
        self._threads.release()
        if answer.done():
            return  # nobody waits any more
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)


class _Known(NamedTuple):
    """addresses: empty for a name that leads nowhere."""

    addresses: tuple[Address, ...]
    until: float


class Names:
    """A bounded cache in front of a resolver, which is asked once for all who want the same name at the same time."""

    def __init__(self, resolver: AbstractResolver, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolver = resolver
        self._clock = clock
        self._known: dict[tuple[str, int], _Known] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[_Known]] = {}

    async def addresses(self, host: str, port: int) -> tuple[Address, ...]:
        """At least one. Raises OSError where there is none."""
        if (literal := _literal(host, port)) is not None:
            return (literal,)
        place = (host, port)
        known = self._known.get(place)
        if known is None or known.until <= self._clock():
            asking = self._asking.get(place)
            if asking is None:
                asking = self._asking[place] = asyncio.create_task(self._ask(place))
            known = await asyncio.shield(asking)
        if not known.addresses:
            raise OSError("the name leads nowhere")
        return known.addresses

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
        await self._resolver.close()

    async def _ask(self, place: tuple[str, int]) -> _Known:
        try:
            found = await self._resolver.resolve(*place, socket.AF_UNSPEC)
            known = _Known(tuple(map(_address, found)), self._clock() + _FRESH_S)
        except OSError:
            known = _Known((), self._clock() + _UNKNOWN_S)
        finally:
            del self._asking[place]
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[place] = known
        return known


def _literal(host: str, port: int) -> Address | None:
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if ip.version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))


def _address(found: ResolveResult) -> Address:
    host, port = found["host"], found["port"]
    place = (host, port, 0, 0) if found["family"] == socket.AF_INET6 else (host, port)
    return (found["family"], socket.SOCK_STREAM, found["proto"], "", place)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError("no name of a host") from error  # `a..b`, or a label of more than 63 letters
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in infos
    ]


def is_metadata_address(address: str) -> bool:
    """Whether `address` belongs to the link-local services by which clouds hand out credentials."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _METADATA)
