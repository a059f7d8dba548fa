"""An HTTP answer whose head has arrived: its body, bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from math import inf
from typing import Self

from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from gaiarouter.errors import BadAnswer, UpstreamError
from gaiarouter.upstream.encoding import Inflater
from gaiarouter.upstream.faults import FOREIGN
from gaiarouter.upstream.lease import Lease

ANSWER_LIMIT = 32 * 1024 * 1024
"""Bytes of a whole answer, after decompression."""

_ERROR_LIMIT = 64 * 1024
_ERROR_S = 2.0
_DRAIN_LIMIT = 64 * 1024
_DRAIN_S = 0.1
_BREATH = 1024 * 1024
"""Bytes taken in one go after which the event loop gets its turn."""


class HttpResponse:
    """UpstreamResponse over a leased connection."""

    __slots__ = (
        "_answer_limit",
        "_at_end",
        "_clock",
        "_inflater",
        "_lease",
        "_payload",
        "_pieces",
        "headers",
        "status",
    )

    def __init__(
        self,
        message: RawResponseMessage,
        payload: StreamReader,
        lease: Lease,
        *,
        inflater: Inflater | None,
        answer_limit: int,
    ) -> None:
        self.status: int = message.code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in message.headers.items()}
        self._payload = payload
        self._lease = lease
        self._inflater = inflater
        self._pieces: Iterator[bytes] = iter(())
        self._at_end = False
        self._clock = asyncio.get_running_loop().time
        self._answer_limit = answer_limit

    async def read(self) -> bytes:
        self._refuse_beyond_limit(int(self.headers.get("content-length", "0")))
        parts: list[bytes] = []
        size = breath = 0
        while part := await self.next():
            parts.append(part)
            size += len(part)
            self._refuse_beyond_limit(size)
            if size - breath > _BREATH:
                breath = size
                await asyncio.sleep(0)
        return b"".join(parts)

    async def read_error(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_ERROR_S):
                while size < _ERROR_LIMIT and (part := await self.next()):
                    parts.append(part)
                    size += len(part)
        except (TimeoutError, UpstreamError):
            pass  # what has come says what it can; the status says the rest
        self.close()
        return b"".join(parts)[:_ERROR_LIMIT]

    def chunks(self) -> AsyncIterator[bytes]:
        return _Chunks(self.next)

    async def next(self) -> bytes:
        """What comes next of the body, b"" at its end."""
        try:
            data = await (self._receive() if self._inflater is None else self._inflate(self._inflater))
        except FOREIGN as error:
            raise self._lease.broken(error) from error
        except BaseException:
            self._lease.drop()
            raise
        if not data:
            self._lease.give_back()
        return data

    async def _receive(self) -> bytes:
        watch = self._lease.watch
        watch.since = self._clock()
        data = await self._payload.readany()
        watch.since = inf
        return data

    async def _inflate(self, inflater: Inflater) -> bytes:
        while not (piece := next(self._pieces, b"")) and not self._at_end:
            data = await self._receive()
            self._at_end = not data
            self._pieces = inflater.feed(data) if data else inflater.finish()
        return piece

    def extend(self, deadline: float) -> None:
        self._lease.watch.deadline = deadline

    async def drain(self) -> None:
        left = _DRAIN_LIMIT
        try:
            async with asyncio.timeout(_DRAIN_S):
                while self._lease.is_open and left > 0:
                    if data := await self._payload.readany():
                        left -= len(data)
                    else:
                        self._lease.give_back()
        except UpstreamError:
            pass  # the answer was whole before this; close() drops the connection
        except FOREIGN:
            pass  # likewise; a TimeoutError is one of them

    def close(self) -> None:
        self._lease.drop()

    def _refuse_beyond_limit(self, size: int) -> None:
        if size > self._answer_limit:
            self._lease.drop()
            raise BadAnswer(
                f"The provider's answer is larger than {self._answer_limit} bytes.",
                code="upstream_response_too_large",
                outcome="too_large",
            )


class _Chunks:
    """An iterator, not a generator: it may be left in the middle, and nothing has to close it then."""

    __slots__ = ("_next",)

    def __init__(self, next_: Callable[[], Awaitable[bytes]]) -> None:
        self._next = next_

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if data := await self._next():
            return data
        raise StopAsyncIteration
