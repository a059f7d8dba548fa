"""Makes spans with OpenTelemetry's SDK: W3C context in and out, sampling by the caller's decision or by share.

Rule: no provider of spans is made global, so that a gateway inside another application leaves that one's traces alone.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Self
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gaiarouter import __version__
from gaiarouter.config.settings import Traces

Attributes = Mapping[str, str | bool | int | float | Sequence[str]]

_LIMITS: Final = SpanLimits(max_attribute_length=256)
_CONTEXT: Final = TraceContextTextMapPropagator()
_NOTHING: Final = Context()


class OpenSpan:
    """Implements pipeline.tracing.Span."""

    __slots__ = ("_span", "_tracer", "is_recording", "trace_id")

    def __init__(self, span: trace.Span, tracer: trace.Tracer) -> None:
        self._span = span
        self._tracer = tracer
        self.is_recording = span.is_recording()
        self.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

    def child(self, name: str, attributes: Attributes) -> Self:
        span = self._tracer.start_span(
            name, trace.set_span_in_context(self._span, _NOTHING), trace.SpanKind.CLIENT, attributes
        )
        return type(self)(span, self._tracer)

    def headers(self) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        _CONTEXT.inject(headers, trace.set_span_in_context(self._span, _NOTHING))
        return headers

    def end(self, attributes: Attributes, error: str | None) -> None:
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


async def _nothing() -> None:
    pass


class OpenTelemetry:
    """Implements pipeline.tracing.Spans. processor: gets every span that is sampled, at its end. close: its own end."""

    def __init__(
        self, settings: Traces, processor: SpanProcessor, close: Callable[[], Coroutine[Any, Any, None]] = _nothing
    ) -> None:
        self.close = close
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample)),
            resource=Resource.create(
                {
                    "service.name": settings.service,
                    "service.version": __version__,
                    "service.instance.id": str(uuid4()),
                    **settings.attributes,
                }
            ),
            span_limits=_LIMITS,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("gaiarouter", __version__)
        self._follows = settings.follow_callers

    def begin(self, name: str, attributes: Attributes, context: Mapping[str, Sequence[str]]) -> OpenSpan:
        parent = _parent(context) if self._follows else _NOTHING
        return OpenSpan(self._tracer.start_span(name, parent, trace.SpanKind.SERVER, attributes), self._tracer)


def _parent(context: Mapping[str, Sequence[str]]) -> Context:
    """Nothing, where the caller's is not one as W3C has it. Two `traceparent` are none; several lines of `tracestate`
    are one."""
    if len(context["traceparent"]) != 1:
        return _NOTHING
    carrier = {"traceparent": context["traceparent"][0], "tracestate": ",".join(context["tracestate"])}
    return _CONTEXT.extract(carrier, _NOTHING)
