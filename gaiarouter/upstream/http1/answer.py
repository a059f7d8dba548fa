"""An answer over one of our own wires, and the one ending that each has: given back or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from gaiarouter.errors import UpstreamError
from gaiarouter.upstream.answer import HttpAnswer
from gaiarouter.upstream.destination import Origin
from gaiarouter.upstream.faults import translate
from gaiarouter.upstream.http1.connections import Connections
from gaiarouter.upstream.http1.wire import Wire


class Http1Answer(HttpAnswer):
    """Made when the head of it has come. Ends exactly once; later endings do nothing.

    origin: of the connections that its wire belongs to. pouring: what still writes the request.
    """

    __slots__ = ("_connections", "_open", "_origin", "_pouring", "_wire")

    def __init__(
        self,
        wire: Wire,
        origin: Origin,
        connections: Connections,
        pouring: asyncio.Task[None] | None,
        answer_limit: int,
    ) -> None:
        super().__init__(wire.status, wire.headers, answer_limit)
        wire.watch.head_arrived()
        self._wire = wire
        self._origin = origin
        self._connections = connections
        self._pouring = pouring
        self._open = True

    @property
    def is_open(self) -> bool:
        return self._open

    async def read(self) -> bytes:
        if self._inflater is None and (body := self._wire.rest()) is not None:
            self._refuse_beyond_limit(len(body))
            self.give_back()
            return body
        return await super().read()

    async def receive(self) -> bytes:
        wire = self._wire
        wire.watch.since = wire.loop.time()
        data = await wire.receive()
        wire.watch.since = inf
        return data

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """Straight from the connection's callback: no task has to wake up for what comes."""
        if self._inflater is not None:
            return await super().pour(take)
        wire = self._wire
        wire.watch.since = wire.loop.time()
        try:
            at_end = await wire.pour(take)
        except BaseException:
            self.close()
            raise
        wire.watch.since = inf
        if at_end:
            self.give_back()
        return at_end

    def give_back(self) -> None:
        if self._pouring is not None and not self._pouring.done():
            self.close()  # the provider answered before it had read the request
        elif self._open:
            self._open = False
            self._connections.keep(self._origin, self._wire)

    def broken(self, error: Exception) -> UpstreamError:
        self.close()
        return translate(error)

    def extend(self, deadline: float) -> None:
        if self._open:
            self._wire.watch.deadline = deadline

    def close(self) -> None:
        """Drops the connection at once, if it has not been given back; whoever still waits on it learns that."""
        if not self._open:
            return
        self._open = False
        if self._pouring is not None:
            self._pouring.cancel()
        self._wire.abort()
