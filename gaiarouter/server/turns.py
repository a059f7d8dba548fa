"""A connection's requests, one after the other, each in the connection's own task.

aiohttp makes a task for every request, for which the event loop has to turn three times before an answer is written. It
does so to keep context variables apart, of which the gateway has none. Leans on aiohttp internals
(`RequestHandler.start`): the lock holds its version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import StreamReader
from aiohttp.web import BaseRequest, RequestPayloadError, StreamResponse
from aiohttp.web_protocol import _PAYLOAD_ACCESS_ERROR, ERROR, RequestHandler, _ErrInfo


class Written(StreamResponse):
    """Stands for an answer that is on its way: nothing is left to be done about it. is_last: of its connection."""

    def __init__(self, *, is_last: bool) -> None:
        super().__init__()
        self._keep_alive = not is_last

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        pass


class Turns(RequestHandler):
    """is_leaving: whether an answer is the connection's last; None where somebody besides the gateway wants to see
    answers before they go."""

    __slots__ = ("is_leaving",)
    is_leaving: Callable[[], bool] | None

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
