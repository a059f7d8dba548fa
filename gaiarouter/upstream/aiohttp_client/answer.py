"""An answer over a connection leased from aiohttp's connector."""

from __future__ import annotations

import asyncio
from math import inf

from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from gaiarouter.errors import UpstreamError
from gaiarouter.upstream.aiohttp_client.lease import Lease
from gaiarouter.upstream.answer import HttpAnswer


class AiohttpAnswer(HttpAnswer):
    __slots__ = ("_clock", "_lease", "_payload")

    def __init__(self, message: RawResponseMessage, payload: StreamReader, lease: Lease, answer_limit: int) -> None:
        super().__init__(message.code, {name.lower(): value for name, value in message.headers.items()}, answer_limit)
        self._payload = payload
        self._lease = lease
        self._clock = asyncio.get_running_loop().time

    @property
    def is_open(self) -> bool:
        return self._lease.is_open

    async def receive(self) -> bytes:
        watch = self._lease.watch
        watch.since = self._clock()
        data = await self._payload.readany()
        watch.since = inf
        return data

    def give_back(self) -> None:
        self._lease.give_back()

    def broken(self, error: Exception) -> UpstreamError:
        return self._lease.broken(error)

    def extend(self, deadline: float) -> None:
        self._lease.watch.deadline = deadline

    def close(self) -> None:
        self._lease.drop()
