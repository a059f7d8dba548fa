"""An HTTP answer whose head has arrived: its body, bounded in size and in time. Each client derives its own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Self

from gaiarouter.errors import BadAnswer, ProtocolBroken, UpstreamError
from gaiarouter.upstream.encoding import Inflater, inflater_for
from gaiarouter.upstream.faults import FOREIGN

ANSWER_LIMIT = 32 * 1024 * 1024
"""Bytes of a whole answer, after decompression."""

_ERROR_LIMIT = 64 * 1024
_ERROR_S = 2.0
_DRAIN_LIMIT = 64 * 1024
_DRAIN_S = 0.1
_NO_PIECES: Iterator[bytes] = iter(())
_BREATH = 1024 * 1024
"""Bytes taken in one go after which the event loop gets its turn."""


class HttpAnswer(ABC):
    """Implements upstream.base.UpstreamResponse on what a client knows of its connection.

    Raises ProtocolBroken when made of an answer that must not be read.
    """

    __slots__ = ("_answer_limit", "_at_end", "_inflater", "_pieces", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], answer_limit: int) -> None:
        if status != 200:
            headers = _unusual(status, headers)
        self.status: int = status
        self.headers: Mapping[str, str] = headers
        coding = headers.get("content-encoding")
        self._inflater: Inflater | None = None if coding is None else inflater_for(coding)
        self._pieces: Iterator[bytes] = _NO_PIECES
        self._at_end = False
        self._answer_limit = answer_limit

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the connection is still this answer's."""

    @abstractmethod
    async def receive(self) -> bytes:
        """What comes next as it lies on the wire, b"" at the end. Raises UpstreamError or one of faults.FOREIGN."""

    @abstractmethod
    def give_back(self) -> None:
        """The body was read to its end: the connection may serve another request, if it is clean."""

    @abstractmethod
    def broken(self, error: Exception) -> UpstreamError:
        """Closes the connection, and says what `error` (one of faults.FOREIGN) means."""

    @abstractmethod
    def extend(self, deadline: float) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

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
        return parts[0] if len(parts) == 1 else b"".join(parts)

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

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        while data := await self.next():
            if not take(data):
                return False
        return True

    async def next(self) -> bytes:
        """What comes next of the body, b"" at its end."""
        try:
            data = await (self.receive() if self._inflater is None else self._inflate(self._inflater))
        except FOREIGN as error:
            raise self.broken(error) from error
        except BaseException:
            self.close()
            raise
        if not data:
            self.give_back()
        return data

    async def _inflate(self, inflater: Inflater) -> bytes:
        while not (piece := next(self._pieces, b"")) and not self._at_end:
            data = await self.receive()
            self._at_end = not data
            self._pieces = inflater.feed(data) if data else inflater.finish()
        return piece

    async def drain(self) -> None:
        left = _DRAIN_LIMIT
        try:
            async with asyncio.timeout(_DRAIN_S):
                while self.is_open and left > 0:
                    left -= len(await self.next())
        except (TimeoutError, UpstreamError):
            pass  # the answer was whole before this; the connection is dropped

    def _refuse_beyond_limit(self, size: int) -> None:
        if size > self._answer_limit:
            self.close()
            raise BadAnswer(
                f"The provider's answer is larger than {self._answer_limit} bytes.",
                code="upstream_response_too_large",
                outcome="too_large",
            )


def _unusual(status: int, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of an answer that may be an error; these have a date: when to come back may be told as one."""
    if status == 101 or 300 <= status < 400:
        # never followed: prompt and key stay with the provider they were meant for
        raise ProtocolBroken("The provider answered with a redirect or a change of protocol.")
    return headers if "date" in headers else {**headers, "date": formatdate(usegmt=True)}


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
