"""An HTTP answer whose head has arrived: its body, bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from math import inf

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

    __slots__ = ("_answer_limit", "_inflater", "_lease", "_payload", "headers", "status")

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
        self.headers = {name.lower(): value for name, value in message.headers.items()}
        self._payload = payload
        self._lease = lease
        self._inflater = inflater
        self._answer_limit = answer_limit

    async def read(self) -> bytes:
        self._refuse_beyond_limit(int(self.headers.get("content-length", "0")))
        parts: list[bytes] = []
        size = breath = 0
        async for part in self.chunks():
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
                async for part in self.chunks():
                    parts.append(part)
                    size += len(part)
                    if size >= _ERROR_LIMIT:
                        break
        except (TimeoutError, UpstreamError):
            pass  # what has come says what it can; the status says the rest
        self.close()
        return b"".join(parts)[:_ERROR_LIMIT]

    async def chunks(self) -> AsyncIterator[bytes]:
        payload, watch, inflater = self._payload, self._lease.watch, self._inflater
        clock = asyncio.get_running_loop().time
        try:
            while True:
                watch.since = clock()
                data = await payload.readany()
                watch.since = inf
                if not data:
                    break
                if inflater is None:
                    yield data
                else:
                    for piece in inflater.feed(data):
                        yield piece
            if inflater is not None:
                for piece in inflater.finish():
                    yield piece
        except GeneratorExit:
            raise  # the reader has heard enough: `drain()` or `close()` comes next
        except FOREIGN as error:
            raise self._lease.broken(error) from error
        except BaseException:
            self._lease.drop()
            raise
        self._lease.give_back()

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
