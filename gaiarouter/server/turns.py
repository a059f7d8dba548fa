"""A connection's requests, one after the other, each in the connection's own task.

aiohttp makes a task for every request, for which the event loop has to turn three times before an answer is written. It
does so to keep context variables apart, of which the gateway has none. Leans on aiohttp internals
(`RequestHandler.start`, `data_received`): the lock holds its version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp.abc import AbstractStreamWriter
from aiohttp.hdrs import CONTENT_LENGTH
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import StreamReader
from aiohttp.web import BaseRequest, RequestPayloadError, StreamResponse
from aiohttp.web_protocol import _PAYLOAD_ACCESS_ERROR, ERROR, RequestHandler, _ErrInfo

from gaiarouter.server.arriving import ArrivingBody
from gaiarouter.server.heads import KnownHead, end_of_head, known_head


class Written(StreamResponse):
    """Stands for an answer that is on its way: nothing is left to be done about it. is_last: of its connection."""

    def __init__(self, *, is_last: bool) -> None:
        super().__init__()
        self._keep_alive = not is_last

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        pass


_UNKNOWN: Final = -1
_MOST_OTHERS: Final = 4
"""Heads in a row that were not the last one again, before a connection's are no longer compared."""


class Turns(RequestHandler):
    """is_leaving: whether an answer is the connection's last; None where somebody besides the gateway wants to see
    answers before they go. head: of the present turn, where it was known. due: bytes of a body that the parser still
    waits for; unknown where nobody has followed what it was given. stalled: it was given up, since the other side took
    nothing of what was written for as long as the kernel waits."""

    __slots__ = ("_arriving", "_due", "_known", "_next_head", "_others", "head", "is_leaving", "stalled")
    is_leaving: Callable[[], bool] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._due = 0
        self._known: KnownHead | None = None
        self._others = 0
        self._arriving: ArrivingBody | None = None
        self._next_head: KnownHead | None = None
        self.head: KnownHead | None = None
        self.stalled = False

    def connection_lost(self, exc: BaseException | None) -> None:
        self.stalled = isinstance(exc, TimeoutError)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._arriving is not None:
            self._feed(self._arriving, data)
        elif self._known is None or self._due or not self._is_known(self._known, data):
            self._parse(data)

    def _is_known(self, known: KnownHead, data: bytes) -> bool:
        """Whether `data` begins with the known head and nothing else is asked; its request is then under way."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages or self._close or self._force_close:
            return False
        match = known.match(data)
        if match is None:
            return False
        message, length, start = match
        if length < len(data) - start:
            return False  # another request follows: the parser keeps them apart
        body = ArrivingBody(data[start:], length, self)
        if body.missing:
            self._arriving = body
        self._next_head = known
        self._others = 0
        self._request_count += 1
        self._messages.append((message, body))
        waiter.set_result(None)
        return True

    def _feed(self, body: ArrivingBody, data: bytes) -> None:
        rest = body.arrive(data)
        if not body.missing:
            self._arriving = None
        if rest:
            self._parse(rest)

    def _parse(self, data: bytes) -> None:
        """aiohttp's way. What the parser is given is followed as long as that is plain."""
        waiting = len(self._messages)
        super().data_received(data)
        if self._due > 0:
            self._due = self._due - len(data) if self._due >= len(data) else _UNKNOWN
        elif self._due == 0 and data:
            self._due = self._learn(data, self._messages[-1][0]) if len(self._messages) == waiting + 1 else _UNKNOWN

    def _learn(self, data: bytes, message: RawRequestMessage | _ErrInfo) -> int:
        """data: with which the parser has begun a request and got `message`. What it is due then."""
        if isinstance(message, _ErrInfo) or message.chunked or message.upgrade:
            return _UNKNOWN
        end = end_of_head(data, message)
        if end is None:
            return _UNKNOWN
        due = int(message.headers.get(CONTENT_LENGTH, 0)) + end - len(data)
        if self._known is not None:
            self._others += 1
        self._known = known_head(data[:end], message) if self._others < _MOST_OTHERS else None
        return max(due, _UNKNOWN)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Called for every body that is read, whether reading was paused or not."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def start(self) -> None:
        """Runs as long as the connection is open."""
        task = asyncio.current_task()
        assert task is not None
        while not self._force_close:
            if not self._messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            try:
                goes_on = await self._turn(*self._messages.popleft(), task)
            except BaseException:
                self.force_close()
                raise
            if not goes_on or self._close or self._force_close:
                break
            self._rest()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _turn(
        self, message: RawRequestMessage | _ErrInfo, payload: StreamReader, task: asyncio.Task[None]
    ) -> bool:
        """One request. Whether the connection serves another."""
        self.head, self._next_head = self._next_head, None
        if self.head is None:
            self._taken()
        manager, factory, handler = self._manager, self._request_factory, self._request_handler
        assert manager is not None
        assert factory is not None
        assert handler is not None
        manager.requests_count += 1
        if isinstance(message, _ErrInfo):
            handler, message = self._make_error_handler(message), ERROR
        request = factory(message, payload, self, StreamWriter(self, self._loop), task)
        try:
            response, is_lost = await self._handle_request(request, None, handler)
        except ConnectionError:
            return False
        finally:
            request._task = None  # type: ignore[assignment]  # a cycle of references where there was an error
        if is_lost:
            return False
        if not payload.is_eof():
            await self._read_rest(payload)
        payload.set_exception(_PAYLOAD_ACCESS_ERROR)
        self._keepalive = bool(response.keep_alive)
        return self._keepalive

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """Of one that is on its way nothing is left to be finished: it belongs to no form and to no upgrade."""
        if resp.__class__ is Written and not self._upgraded:
            return resp, False
        return await super().finish_response(request, resp, start_time)

    def _taken(self) -> None:
        """There is room for one more pipelined request."""
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()

    async def _read_rest(self, payload: StreamReader) -> None:
        """Of a body that nobody wanted; the connection is closed where too much of it is still to come."""
        if not self._force_close and self._lingering_time:
            try:
                async with asyncio.timeout(self._lingering_time):
                    while not payload.is_eof():
                        await payload.readany()
            except TimeoutError:
                pass  # enough
            except (HttpProcessingError, RequestPayloadError, ConnectionError):
                self.force_close()
        if not payload.is_eof() and not self._force_close:
            self.close()

    def _rest(self) -> None:
        """The connection is idle, and closed where it is for long."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)


def head_of(request: BaseRequest) -> KnownHead | None:
    """The head of a request that has begun as its connection's last one did."""
    connection = request.protocol
    return connection.head if isinstance(connection, Turns) else None
