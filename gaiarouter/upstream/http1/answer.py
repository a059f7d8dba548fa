"""An answer over one of our own wires, and the one ending that each has: given back or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from math import inf
from typing import Final

from gaiarouter.errors import UpstreamError
from gaiarouter.upstream.answer import HttpAnswer
from gaiarouter.upstream.faults import translate
from gaiarouter.upstream.http1.wire import Wire
from gaiarouter.upstream.outgoing import ONE_WRITE, pour
from gaiarouter.upstream.watch import Watch

_COPIED: Final = 16 * 1024
"""A body of so many bytes is cheaper copied behind its head than handed over beside it."""


class Lease:
    """A wire in the hands of one attempt. Ends exactly once; later calls do nothing.

    keep: takes a wire whose answer was read to its end.
    """

    __slots__ = ("_keep", "_pouring", "clock", "is_open", "watch", "wire")

    def __init__(self, wire: Wire, watch: Watch, clock: Callable[[], float], keep: Callable[[Wire], None]) -> None:
        self.wire = wire
        self.watch = watch
        self.clock = clock
        self.is_open = True
        self._keep = keep
        self._pouring: asyncio.Task[None] | None = None
        wire.begin(watch)

    def write(self, head: bytes, body: bytes | AsyncIterator[bytes]) -> None:
        """A large body goes out beside the wait for the answer: a provider may refuse it before it has read it."""
        transport = self.wire.transport
        if transport is None:
            return  # it was lost just now; who waits for the answer learns of it
        if isinstance(body, bytes) and len(body) <= ONE_WRITE:
            if len(body) <= _COPIED:
                transport.write(head + body)
            else:
                transport.writelines((head, body))
            return
        transport.write(head)
        self._pouring = asyncio.create_task(pour(self.wire, body, self.watch))

    def give_back(self) -> None:
        if self._pouring is not None and not self._pouring.done():
            self.drop()  # the provider answered before it had read the request
        if self.is_open:
            self.is_open = False
            self.watch.stop()
            self._keep(self.wire)

    def drop(self) -> None:
        """Closes the connection at once; whoever still waits on it learns that."""
        if not self.is_open:
            return
        self.is_open = False
        self.watch.stop()
        if self._pouring is not None:
            self._pouring.cancel()
        self.wire.abort()


class Http1Answer(HttpAnswer):
    __slots__ = ("_lease",)

    def __init__(self, lease: Lease, answer_limit: int) -> None:
        super().__init__(lease.wire.status, lease.wire.headers, answer_limit)
        lease.watch.head_arrived()
        self._lease = lease

    @property
    def is_open(self) -> bool:
        return self._lease.is_open

    async def read(self) -> bytes:
        if self._inflater is None and (body := self._lease.wire.rest()) is not None:
            self._refuse_beyond_limit(len(body))
            self._lease.give_back()
            return body
        return await super().read()

    async def receive(self) -> bytes:
        lease = self._lease
        lease.watch.since = lease.clock()
        data = await lease.wire.receive()
        lease.watch.since = inf
        return data

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """Straight from the connection's callback: no task has to wake up for what comes."""
        if self._inflater is not None:
            return await super().pour(take)
        lease = self._lease
        lease.watch.since = lease.clock()
        try:
            at_end = await lease.wire.pour(take)
        except BaseException:
            lease.drop()
            raise
        lease.watch.since = inf
        if at_end:
            lease.give_back()
        return at_end

    def give_back(self) -> None:
        self._lease.give_back()

    def broken(self, error: Exception) -> UpstreamError:
        self._lease.drop()
        return translate(error)

    def extend(self, deadline: float) -> None:
        self._lease.watch.deadline = deadline

    def close(self) -> None:
        self._lease.drop()
