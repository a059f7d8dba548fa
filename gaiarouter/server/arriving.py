"""The body of a request whose length is known, as it comes in: kept in the pieces in which it came."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import EmptyStreamReader

_AHEAD: Final = 128 * 1024
"""Bytes that may come in before somebody wants them."""


class ArrivingBody(EmptyStreamReader):
    """What aiohttp's StreamReader is to its parser, and no more than is asked of one.

    length: bytes in all. missing: those that are still to come. connection: which need not be read where nobody wants
    them yet.
    """

    __slots__ = ("_connection", "_error", "_is_paused", "_parts", "_unread", "_waiter", "length", "missing")

    def __init__(self, first: bytes, length: int, connection: BaseProtocol) -> None:
        super().__init__()
        self._parts = [first] if first else []
        self._connection = connection
        self._unread = len(first)
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._is_paused = False
        self.total_bytes = len(first)
        self.length = length
        self.missing = length - len(first)

    def arrive(self, data: bytes) -> bytes:
        """The next bytes of the connection. Gives back those that are no longer the body's."""
        if not data:
            return data
        data, rest = data[: self.missing], data[self.missing :]
        self._parts.append(data)
        self._unread += len(data)
        self.total_bytes += len(data)
        self.missing -= len(data)
        if self._waiter is not None:
            self._wake()
        elif self.missing and not self._is_paused and self._unread > _AHEAD:
            self._is_paused = True
            self._connection._pause_transport_reading()
        return rest

    def is_eof(self) -> bool:
        return not self.missing

    def at_eof(self) -> bool:
        return not self.missing and not self._parts

    def exception(self) -> BaseException | None:
        return self._error

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._error = exc
        if self._waiter is not None:
            self._wake()

    async def readany(self) -> bytes:
        """What has come, as soon as there is something; nothing at the end."""
        while not self._parts and self.missing:
            await self._until_more()
        return self.read_nowait()

    async def read(self, n: int = -1) -> bytes:
        """All of it. n: not heeded."""
        while self.missing:
            await self._until_more()
        return self.read_nowait()

    def read_nowait(self, n: int = -1) -> bytes:
        """What has come. n: not heeded."""
        if self._error is not None:
            raise self._error
        parts, self._unread = self._parts, 0
        if len(parts) == 1:
            return parts.pop()
        data = b"".join(parts)
        parts.clear()
        return data

    async def _until_more(self) -> None:
        if self._error is not None:
            raise self._error
        if self._is_paused:
            self._is_paused = False
            self._connection._resume_transport_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
