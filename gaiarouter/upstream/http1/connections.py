"""Connections to providers: opened, kept, and checked before they are used again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable

from aiohappyeyeballs import start_connection

from gaiarouter.errors import TimedOut, Unreachable
from gaiarouter.upstream.base import AttemptTimeouts
from gaiarouter.upstream.destination import Origin
from gaiarouter.upstream.faults import unreachable
from gaiarouter.upstream.http1.wire import Wire
from gaiarouter.upstream.names import Address, Names

_KEEPALIVE_S = 20.0
_SWEEP_S = 5.0
_MOST_IDLE = 1024
"""Of one origin. More were busy at once, but not every one of them will be again."""
_RECEIVE_BUFFER = 128 * 1024
_NEXT_ADDRESS_S = 0.25
"""How long one of a host's addresses has for itself before the next is tried beside it (RFC 8305)."""

_UNTRUSTED = "No trusted TLS connection to the provider could be made."


class Connections:
    """Their number is not limited here: the gateway's own limits decide what is let in.

    tls: which authorities are trusted, where it is not the system's list. A certificate is always checked. on_connect:
    called with each connection that was opened.
    """

    def __init__(self, names: Names, tls: ssl.SSLContext | None, on_connect: Callable[[], None] = lambda: None) -> None:
        self._loop = asyncio.get_running_loop()
        self._names = names
        self._tls = tls
        self._on_connect = on_connect
        self._idle: dict[Origin, deque[tuple[Wire, float]]] = {}
        self._wires: set[Wire] = set()
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def counts(self) -> tuple[int, int]:
        """Open ones, and of those idle ones."""
        return len(self._wires), sum(map(len, self._idle.values()))

    def take(self, origin: Origin) -> Wire | None:
        """An idle connection that may be used, the one used last; None if there is none."""
        idle = self._idle.get(origin)
        while idle:
            wire, _ = idle.pop()
            if wire.is_clean():
                return wire
            wire.abort()
        return None

    def keep(self, origin: Origin, wire: Wire) -> None:
        """After a whole answer."""
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = deque()
        if not wire.release() or len(idle) >= _MOST_IDLE:
            wire.abort()
            return
        idle.append((wire, self._loop.time()))
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_S, self._close_old)

    def forget(self, origin: Origin) -> None:
        """Closes the idle connections of `origin`: one was found dead, so the others are too."""
        for wire, _ in self._idle.pop(origin, ()):
            wire.abort()

    async def open(self, origin: Origin, timeouts: AttemptTimeouts) -> Wire:
        """Raises Unreachable, TimedOut."""
        limit = min(self._loop.time() + timeouts.connect_s, timeouts.deadline)
        addresses = await self._look_up(origin, limit)
        try:
            async with asyncio.timeout_at(limit):
                return await self._connect(origin, addresses)
        except TimeoutError as error:
            raise TimedOut(
                "The provider did not accept a connection in time.",
                phase="total" if limit == timeouts.deadline else "connect",
            ) from error
        except ssl.SSLError as error:
            raise Unreachable(
                "No trusted TLS connection to the provider could be made.", outcome="tls_error"
            ) from error
        except OSError as error:
            raise unreachable(error, "The provider's address did not accept the connection.") from error

    async def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._idle.clear()
        for wire in list(self._wires):
            wire.abort()
        await self._names.close()

    async def _look_up(self, origin: Origin, limit: float) -> tuple[Address, ...]:
        try:
            async with asyncio.timeout_at(limit):
                return await self._names.addresses(origin.host, origin.port)
        except TimeoutError as error:
            raise Unreachable("The provider's host name was not resolved in time.") from error
        except OSError as error:
            raise unreachable(error, "The provider's host name could not be resolved.") from error

    async def _connect(self, origin: Origin, addresses: tuple[Address, ...]) -> Wire:
        sock = await start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, loop=self._loop, socket_factory=_socket
        )
        try:
            _, wire = await self._loop.create_connection(
                lambda: Wire(self._loop, self._wires.discard),
                sock=sock,
                ssl=self._context() if origin.secure else None,
                server_hostname=origin.host if origin.secure else None,
            )
        except BaseException:
            sock.close()
            raise
        self._wires.add(wire)
        self._on_connect()
        return wire

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _close_old(self) -> None:
        self._sweep = None
        oldest = self._loop.time() - _KEEPALIVE_S
        for origin, idle in list(self._idle.items()):
            while idle and (idle[0][1] < oldest or idle[0][0].transport is None):
                idle.popleft()[0].abort()
            if not idle:
                del self._idle[origin]
        if self._idle:
            self._sweep = self._loop.call_later(_SWEEP_S, self._close_old)


def _socket(address: Address) -> socket.socket:
    family, kind, protocol, _, _ = address
    sock = socket.socket(family=family, type=kind, proto=protocol)
    # behind a caller who does not read, the kernel would otherwise take in megabytes for each connection
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
