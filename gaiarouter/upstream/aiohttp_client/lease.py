"""A connection in the hands of one attempt: what is written to it, how long it may take, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp.connector import Connection

from gaiarouter.errors import UpstreamError
from gaiarouter.upstream.aiohttp_client.pool import Wire
from gaiarouter.upstream.base import AttemptTimeouts
from gaiarouter.upstream.faults import translate
from gaiarouter.upstream.outgoing import ONE_WRITE, pour
from gaiarouter.upstream.watch import Watch


class Lease:
    """Ends exactly once: `give_back()` after a whole answer, `drop()` for everything else; later calls do nothing."""

    __slots__ = ("_connection", "_loop", "_open", "_pouring", "watch", "wire")

    def __init__(self, connection: Connection, timeouts: AttemptTimeouts) -> None:
        wire = connection.protocol
        assert isinstance(wire, Wire)
        self.wire = wire
        self._loop = asyncio.get_running_loop()
        self.watch = Watch(self._loop)
        self.watch.begin(timeouts, wire.fail)
        self._connection = connection
        self._pouring: asyncio.Task[None] | None = None
        self._open = True

    @property
    def is_open(self) -> bool:
        return self._open

    def write(self, head: bytes, body: bytes | AsyncIterator[bytes]) -> None:
        """A large body goes out beside the wait for the answer: a provider may refuse it before it has read it."""
        assert self.wire.transport is not None
        if isinstance(body, bytes) and len(body) <= ONE_WRITE:
            self.wire.transport.write(head + body)
            return
        self.wire.transport.write(head)
        self._pouring = self._loop.create_task(pour(self.wire, body, self.watch))

    def broken(self, error: Exception) -> UpstreamError:
        """Ends it, and says what `error` (one of faults.FOREIGN) means."""
        lost = self.wire.exception()
        self.drop()
        # a reset shows in the body as a body cut short; the connection knows better
        return self.watch.expired or translate(lost if isinstance(lost, OSError) else error)

    def give_back(self) -> None:
        """The answer was read to its end: the connection may serve another request, if it is clean."""
        if self._pouring is not None and not self._pouring.done():
            self.drop()  # the provider answered before it had read the request
        if not self._open:
            return
        self._open = False
        self.watch.close()
        self.wire.idle = True
        self._connection.release()

    def drop(self) -> None:
        """Closes the connection at once; whoever still waits on it learns that."""
        if not self._open:
            return
        self._open = False
        self.watch.close()
        if self._pouring is not None:
            self._pouring.cancel()
        self._connection.close()
