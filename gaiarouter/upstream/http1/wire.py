"""One connection to a provider: bytes in, one answer at a time out.

Framing is the C parser's: lengths that contradict each other, a length beside chunks, bad chunks and what is no HTTP
are refused there. Here stand its bounds, back-pressure, and the rule that a connection on which anything came unasked
is never used again.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gaiarouter.errors import GatewayError, ProtocolBroken, UpstreamError
from gaiarouter.upstream.base import AttemptTimeouts
from gaiarouter.upstream.faults import translate
from gaiarouter.upstream.http1.head import Fields, HeadReader
from gaiarouter.upstream.watch import Watch

_IDLE: Final = 0
_ENDED: Final = 1
_HEAD: Final = 2
"""From here on something is to come."""
_BODY: Final = 3

_HEAD_LIMIT: Final = 64 * 1024
_INTERIM: Final = frozenset({100, *range(102, 200)})
_INTERIM_LIMIT: Final = 16
_HIGH: Final = 64 * 1024
"""Bytes that may wait for a reader before the provider is no longer listened to."""
_NO_BODY: Final = frozenset({204, 304})

_NOT_HTTP: Final = "What the provider sent was not valid HTTP."
_CUT: Final = "The provider's answer was cut short or wrongly framed."


class Wire(asyncio.Protocol):
    """heard: bytes have come since the present request began. watch: of its requests. on_lost: called once, when the
    connection is gone."""

    __slots__ = (
        "_buffer",
        "_buffered",
        "_error",
        "_fields",
        "_head_bytes",
        "_heads",
        "_interim",
        "_is_dirty",
        "_keeps",
        "_on_lost",
        "_parser",
        "_phase",
        "_poll",
        "_reading_paused",
        "_room",
        "_sink",
        "_stopped",
        "_to_the_close",
        "_waiter",
        "headers",
        "heard",
        "loop",
        "status",
        "transport",
        "watch",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Wire], None]) -> None:
        self.loop = loop
        self._on_lost = on_lost
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._poll = select.poll()
        self.transport: asyncio.Transport | None = None
        self._phase = _IDLE
        self._is_dirty = False
        self._reading_paused = False
        self._room: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Callable[[bytes], bool] | None = None
        self._stopped = False
        self.watch = Watch(loop)
        self._error: GatewayError | None = None
        self._heads = HeadReader()
        self._fields: Fields = []
        self._buffer: list[bytes] = []
        self._buffered = self._head_bytes = self._interim = 0
        self._keeps = self._to_the_close = self.heard = False
        self.status = 0
        self.headers: dict[str, str] = {}

    # how the answer to one request is had

    def begin(self, timeouts: AttemptTimeouts) -> None:
        """A request is about to be written: what comes from here on is its answer."""
        self._phase = _HEAD
        self._fields.clear()
        self._head_bytes = self._interim = self._buffered = 0
        self.heard = False
        self.watch.begin(timeouts, self.fail)

    async def head(self) -> None:
        """Returns when `status` and `headers` are those of the answer; interim ones are skipped."""
        while self._phase == _HEAD:
            if self._error is not None:
                raise self._error
            await self._more()

    async def receive(self) -> bytes:
        """What has come of the body, b"" at its end."""
        while not self._buffer:
            if self._phase == _ENDED:
                return b""
            if self._error is not None:
                raise self._error
            await self._more()
        return self._unbuffer()

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """`take` gets what comes of the body as it comes, until it returns False. True at the body's end."""
        while self._buffer:
            if not take(self._unbuffer()):
                return False
        if self._phase == _ENDED:
            return True
        if self._error is not None:
            raise self._error
        self._sink, self._stopped = take, False
        try:
            await self._more()
        finally:
            self._sink = self._waiter = None
        if self._stopped:
            return False
        if self._phase != _ENDED and self._error is not None:
            raise self._error
        return True

    def release(self) -> bool:
        """The answer was read to its end. Whether the connection may be used again."""
        reusable = self._phase == _ENDED and self._keeps and not self._is_dirty
        self._phase, self.headers = _IDLE, {}
        self.watch.stop()
        return reusable and self.transport is not None

    def rest(self) -> bytes | None:
        """The whole body where it has come in one piece, as it mostly has by the time that somebody asks."""
        return self._buffer.pop() if self._phase == _ENDED and len(self._buffer) == 1 else None

    def is_clean(self) -> bool:
        """Nothing has come since the last answer ended, not even in the kernel: no bytes and no end of the stream."""
        transport = self.transport
        return not (self._is_dirty or transport is None or transport.is_closing() or self._poll.poll(0))

    def fail(self, error: GatewayError) -> None:
        """Whoever waits gets `error`; the connection is dropped without a goodbye."""
        self.watch.stop()
        if self._error is None:
            self._error = error
        self._is_dirty = True
        self._wake()
        if self.transport is not None:
            self.transport.abort()

    def abort(self) -> None:
        self.fail(ProtocolBroken("The connection to the provider was closed.", outcome="reset"))

    async def room(self) -> None:
        """Returns when more may be written. Raises ConnectionError when the connection is lost."""
        if self._room is not None:
            await self._room
        if self.transport is None:
            raise ConnectionResetError("the connection is lost")

    # what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        phase, parser = self._phase, self._parser
        if phase < _HEAD or parser is None:
            # an answer to nothing: whoever used this connection next would take it for their own
            self._is_dirty = True
            if phase == _IDLE:
                self.abort()
            return
        size = len(data)
        self._head_bytes += size
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._is_dirty = True
            if self._phase != _ENDED:
                self.fail(ProtocolBroken(_NOT_HTTP if self._phase == _HEAD else _CUT, outcome="protocol_error"))
                return
        phase = self._phase
        if self._head_bytes > _HEAD_LIMIT and phase != _ENDED:
            # trailers count as the head does: the parser keeps each line until its end
            self.fail(ProtocolBroken(_NOT_HTTP if phase == _HEAD else _CUT, outcome="protocol_error"))
        elif phase != _HEAD and self._error is None:
            self._deliver(size)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = self._parser = None  # the parser holds this object: a cycle
        self.watch.close()
        if self._phase == _BODY and self._to_the_close and exc is None and self._error is None:
            self._phase = _ENDED
        elif self._error is None:
            self._error = self._lost(exc)
        self._wake()
        self.resume_writing()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._room = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    # what the parser says

    def on_message_begin(self) -> None:
        if self._phase != _HEAD:
            self._is_dirty = True  # a second answer

    def on_header(self, name: bytes, value: bytes) -> None:
        """A trailer's too, which nobody reads."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        if self._phase != _HEAD or self._error is not None:
            return
        fields, self._fields = self._fields, []
        status = self._parser.get_status_code()
        if status in _INTERIM:
            self._interim += 1
            if self._interim > _INTERIM_LIMIT:
                self.fail(ProtocolBroken("The provider sent interim answers without end.", outcome="protocol_error"))
            return
        headers = self._heads.read(fields)
        coding = None if headers is None else headers.get("transfer-encoding")
        if headers is None or (coding is not None and coding.lower() != "chunked"):
            self.fail(ProtocolBroken(_NOT_HTTP, outcome="protocol_error"))
            return
        self.status, self.headers = status, headers
        self._to_the_close = coding is None and "content-length" not in headers and status not in _NO_BODY
        self._phase = _BODY

    def on_body(self, data: bytes) -> None:
        if self._phase == _BODY:
            self._head_bytes = 0
            self._buffer.append(data)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if self._phase == _BODY:
            self._phase = _ENDED
            self._keeps = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        elif self._phase != _HEAD:
            self._is_dirty = True

    # ours

    def _deliver(self, size: int) -> None:
        """One hand-over for what one read of `size` bytes has brought."""
        if self._sink is None:
            self._buffered += size
            if self._buffered > _HIGH:
                self._pause_reading()
            self._wake()
            return
        if self._buffer:
            self._hand_over(self._sink)
        if self._sink is None or self._phase == _ENDED:
            self._wake()

    def _hand_over(self, take: Callable[[bytes], bool]) -> None:
        self.watch.since = self.loop.time()
        try:
            self._stopped = not take(self._buffer.pop() if len(self._buffer) == 1 else self._unbuffer())
        except Exception as error:  # noqa: BLE001  # it is raised again where the reader waits
            self._sink = None
            self._wake(error)
            return
        if self._stopped:
            self._sink = None
            self._pause_reading()

    def _pause_reading(self) -> None:
        transport = self.transport
        if self._phase == _BODY and not self._reading_paused and transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._reading_paused = True

    def _unbuffer(self) -> bytes:
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        return data

    def _more(self) -> asyncio.Future[None]:
        """Done with what comes next: only who has taken all that came before has the provider listened to again."""
        if self._reading_paused:
            self._reading_paused = False
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()
        self._waiter = waiter = self.loop.create_future()
        return waiter

    def _wake(self, error: BaseException | None = None) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    def _lost(self, exc: Exception | None) -> UpstreamError:
        if isinstance(exc, OSError):
            return translate(exc)
        if self._phase == _BODY:
            return ProtocolBroken(_CUT, outcome="protocol_error")
        return ProtocolBroken("The provider closed the connection before its answer was whole.", outcome="reset")
