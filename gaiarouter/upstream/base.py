"""How the pipeline reaches a target, whatever the transport. Only this package does outbound network I/O.

Every failure comes out as an UpstreamError of errors.py; no name of an HTTP library passes this line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from gaiarouter.canonical.parts import Base64
from gaiarouter.providers.base import UpstreamRequest as UpstreamRequest


class AttemptTimeouts(Struct, frozen=True, gc=False):
    """Seconds. `deadline` is on the event loop's clock: the attempt's end whatever happens."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    deadline: float


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. Must be closed; closing before the end aborts the connection."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""

    async def read(self) -> bytes:
        """The whole body, decompressed, at most the client's answer limit; raises BadAnswer (too large),
        TimedOut, ProtocolBroken."""
        ...

    async def read_error(self) -> bytes:
        """At most 64 KiB of an error body, for at most 2 s; never raises for a body that is long or slow."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """What has come, as it comes: one item per read. The idle time-out runs only while this waits."""
        ...

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """`take` gets what comes, as it comes, until it returns False; it may be called from the event loop itself, so
        it neither waits nor lasts. True at the body's end; False when `take` wanted no more, and another call goes on.
        What `take` raises is raised here. Bounds as for `chunks`."""
        ...

    def extend(self, deadline: float) -> None:
        """Moves the attempt's deadline: a stream that has begun to speak has the request's whole time."""
        ...

    async def drain(self) -> None:
        """After the dialect's own ending: reads on to the body's end for a moment (at most 0.1 s and 64 KiB), so that
        the connection can be pooled. Never raises for what it finds."""
        ...

    def close(self) -> None:
        """Back to the pool if the answer was read to its end, else the connection is closed at once."""
        ...


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """reason: a clause for the caller, with nothing in it of the address or of what came."""

    reason: str


Loaded = Base64 | NotLoaded


class MediaSource(Protocol):
    """Where callers' pictures and files are loaded from, for targets that do not load them themselves."""

    async def load(self, urls: Iterable[str], loaded: MutableMapping[str, Loaded], *, deadline: float) -> float:
        """Adds what stands at `urls` to `loaded`: all that was ever loaded for the same request, so that nothing is
        asked for twice. After the first that cannot be loaded the others are given up. Returns the seconds that it
        took. deadline: on the event loop's clock."""
        ...


class Upstream(Protocol):
    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> UpstreamResponse:
        """Raises Unreachable, TimedOut or ProtocolBroken. A pooled connection that turns out dead before the first
        byte of an answer is replaced by a new one once, unseen."""
        ...

    async def close(self) -> None: ...
