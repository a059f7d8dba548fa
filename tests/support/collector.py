"""A collector of traces that takes OTLP over HTTP: protobuf, on a real loopback socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.upstream import BOUND_S

SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT


def attributes(pairs: Sequence[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


class Collector:
    """answer: of the n-th request, its status; refused: of its spans, how many it says that it would not have."""

    def __init__(self, status: Callable[[int], int] = lambda _: 200, *, refused: int = 0) -> None:
        self._status = status
        self._refused = refused
        self._arrived = asyncio.Event()
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.taken: list[ExportTraceServiceRequest] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        body = await request.read()
        status = self._status(len(self.requests))
        if status == 200:
            self.bodies.append(body)
            self.taken.append(ExportTraceServiceRequest.FromString(body))
        self._arrived.set()
        said = ExportTraceServiceResponse()
        said.partial_success.rejected_spans = self._refused
        return web.Response(status=status, body=said.SerializeToString(), content_type="application/x-protobuf")

    @property
    def spans(self) -> list[Span]:
        return [
            span for taken in self.taken for each in taken.resource_spans for s in each.scope_spans for span in s.spans
        ]

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [attributes(each.resource.attributes) for taken in self.taken for each in taken.resource_spans]

    async def until(self, count: int) -> list[Span]:
        """At least so many spans, the earliest first."""
        async with asyncio.timeout(BOUND_S):
            while len(self.spans) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return sorted(self.spans, key=lambda span: span.start_time_unix_nano)

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while len(self.requests) < times:
                self._arrived.clear()
                await self._arrived.wait()
