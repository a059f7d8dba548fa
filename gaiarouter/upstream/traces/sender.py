"""Sends spans to a collector by OTLP over HTTP, in batches, beside the requests that they tell of.

Rules: nobody ever waits for it, and nothing is kept without bound. What the collector does not take is dropped and
counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from gaiarouter import __version__
from gaiarouter.config.settings import Traces
from gaiarouter.upstream.names import Resolver

_log = structlog.get_logger("gaiarouter.traces")

Fate = Literal["sent", "queue_full", "refused", "given_up"]
"""What became of a span. refused: the collector would not have it. given_up: it was not there at the end."""

_AGAIN: Final = frozenset({429, 502, 503, 504})
_PATH: Final = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Pace:
    """Spans that may wait, and that go out at once; seconds: until they go, for an answer, between two tries at first
    and at most, and for the last ones at the end."""

    waiting: int = 2048
    batch: int = 512
    gather_s: float = 0.25
    answer_s: float = 10.0
    first_pause_s: float = 1.0
    pause_s: float = 30.0
    last_s: float = 1.0


class Sender(SpanProcessor):
    """Make it inside the running event loop; close it there. on_fate: called with what became of how many spans."""

    def __init__(self, settings: Traces, on_fate: Callable[[Fate, int], object], pace: Pace | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._url = settings.endpoint.rstrip("/").removesuffix(_PATH) + _PATH
        self._on_fate = on_fate
        self._pace = pace or Pace()
        self._queue: deque[ReadableSpan] = deque()
        self._under_way = 0
        self._some, self._enough, self._closing = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._is_away = False
        self._session = ClientSession(
            connector=TCPConnector(limit=1, resolver=Resolver(loop)),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=self._pace.answer_s),
            headers=_headers(settings),
        )
        self._task = loop.create_task(self._run(), name="traces")

    def on_end(self, span: ReadableSpan) -> None:
        if len(self._queue) >= self._pace.waiting:
            self._on_fate("queue_full", 1)
            return
        self._queue.append(span)
        self._some.set()
        if len(self._queue) >= self._pace.batch:
            self._enough.set()

    async def close(self) -> None:
        """Sends what is left, if that can be done in a moment."""
        for event in (self._closing, self._some, self._enough):
            event.set()
        await asyncio.wait([self._task], timeout=self._pace.last_s)
        self._task.cancel()
        await asyncio.wait([self._task])
        if left := len(self._queue) + self._under_way:
            self._on_fate("given_up", left)
        await self._session.close()

    async def _run(self) -> None:
        while self._queue or not self._closing.is_set():
            await self._some.wait()
            self._some.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.gather_s):
                    await self._enough.wait()
            self._enough.clear()
            while self._queue:
                await self._deliver([self._queue.popleft() for _ in range(min(len(self._queue), self._pace.batch))])

    async def _deliver(self, batch: Sequence[ReadableSpan]) -> None:
        """Tries until it is taken or refused, or all is over."""
        self._under_way = count = len(batch)
        # milliseconds: on the loop they would delay streams
        data = await asyncio.to_thread(_encoded, batch)
        pause_s = self._pace.first_pause_s
        while (refused := await self._post(data, count)) is None and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()
            pause_s = min(pause_s * 2, self._pace.pause_s)
        self._under_way = 0
        if refused is None:
            self._on_fate("given_up", count)
            return
        self._on_fate("sent", count - refused)
        self._on_fate("refused", refused)

    async def _post(self, data: bytes, spans: int) -> int | None:
        """How many of the spans the collector refused; None if it could not be asked."""
        try:
            async with self._session.post(self._url, data=data, allow_redirects=False) as response:
                if response.status in _AGAIN:
                    self._away(f"status {response.status}")
                    return None
                answer = await response.content.read(1 << 16)
        except (ClientError, OSError) as error:
            self._away(type(error).__name__)
            return None
        if self._is_away:
            self._is_away = False
            _log.info("traces.delivered_again")
        if response.status >= 300:
            _log.warning("traces.refused", status=response.status, spans=spans)
            return spans
        return min(_refused(answer), spans)

    def _away(self, reason: str) -> None:
        """Told once, until it is back."""
        if not self._is_away:
            self._is_away = True
            _log.warning("traces.not_delivered", reason=reason)


def _headers(settings: Traces) -> Mapping[str, str]:
    return {
        "user-agent": f"gaiarouter/{__version__}",
        **{name: value.reveal() for name, value in settings.headers.items()},
        "content-type": "application/x-protobuf",
    }


def _encoded(batch: Sequence[ReadableSpan]) -> bytes:
    data: bytes = encode_spans(batch).SerializeToString()
    return data


def _refused(answer: bytes) -> int:
    """Some collectors answer in words of their own; then all were taken."""
    try:
        refused: int = ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    except DecodeError:
        return 0
    return refused
