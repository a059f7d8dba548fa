"""What a trace tells of a request: a span for the request, and one for every try at a target.

All names stand here. Those of HTTP are stable; those of `gen_ai.` are OpenTelemetry's GenAI conventions, which may
still change; what has no name there begins with `gaiarouter.`. Nothing is a prompt, an answer or a credential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from msgspec import structs

from gaiarouter.dialects.gemini.embedding_dialect import BATCH, SINGLE
from gaiarouter.providers.base import Endpoint, UpstreamRequest

if TYPE_CHECKING:
    from gaiarouter.pipeline.exchange import Exchange
    from gaiarouter.store.records import UsageRecord

Attribute = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Attribute]

_OPERATIONS: Final = {
    **dict.fromkeys(("chat", "messages", "responses"), "chat"),
    "gemini": "generate_content",
    "completions": "text_completion",
    **dict.fromkeys(("embeddings", SINGLE, BATCH), "embeddings"),
}
"""By the caller's dialect: names that the conventions have. What they have none for goes by the dialect's."""


class Span(Protocol):
    """One in the making. is_recording: somebody will see it; if not, nothing need be told. trace_id: as it is written,
    in hexadecimal digits."""

    is_recording: bool
    trace_id: str

    def child(self, name: str, attributes: Attributes) -> Span: ...

    def headers(self) -> Mapping[str, str]:
        """Its context for whoever is asked in its course: `traceparent` and, where there is one, `tracestate`."""
        ...

    def end(self, attributes: Attributes, error: str | None) -> None:
        """Once. error: the kind of error that it ended with."""
        ...


class Spans(Protocol):
    """Where spans are made."""

    def begin(self, name: str, attributes: Attributes, context: Mapping[str, Sequence[str]]) -> Span:
        """A request's. context: the lines of its `traceparent` and `tracestate`, whatever they are."""
        ...


class Trace:
    """A request's part in a trace. Whoever holds it tells it what happens, in the order of its methods."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._attempt: Span | None = None

    @property
    def id(self) -> str:
        return self._span.trace_id

    def asks(self, exchange: Exchange, endpoint: Endpoint, request: UpstreamRequest) -> UpstreamRequest:
        """A target is about to get `request`. Returns it as it goes out: with the context, where the provider may know
        it."""
        span = self._span
        if span.is_recording:
            about = dict(_asked(exchange, endpoint))
            name = f"{about['gen_ai.operation.name']} {about['gen_ai.request.model']}"
            span = self._attempt = span.child(name, about)
        if not endpoint.trace_context:
            return request
        return structs.replace(request, headers={**request.headers, **span.headers()})

    def answered(self, exchange: Exchange, outcome: str | None) -> None:
        """That try is over, if there was one. outcome: one of telemetry.OUTCOMES; None if nothing was sent."""
        span, self._attempt = self._attempt, None
        if span is not None:
            told = outcome or "connect_error"
            span.end(dict(_outcome(exchange, told)), None if told in ("ok", "cancelled") else told)

    def end(self, exchange: Exchange, record: UsageRecord) -> None:
        if self._span.is_recording:
            failed = record.status >= 500 or record.outcome == "interrupted"
            self._span.end(dict(_request(exchange, record)), (record.error or "error") if failed else None)


def _asked(exchange: Exchange, endpoint: Endpoint) -> Iterator[tuple[str, Attribute]]:
    assert exchange.served is not None
    assert exchange.request is not None
    yield "gen_ai.operation.name", _OPERATIONS.get(exchange.dialect.name, exchange.dialect.name)
    yield "gen_ai.provider.name", endpoint.known_as
    yield "gen_ai.request.model", exchange.served.model
    if exchange.request.stream:
        yield "gen_ai.request.stream", True
    if exchange.request.max_output_tokens is not None:
        yield "gen_ai.request.max_tokens", exchange.request.max_output_tokens
    place = urlsplit(endpoint.url)
    if place.hostname is not None:
        yield "server.address", place.hostname
        yield "server.port", place.port or (443 if place.scheme == "https" else 80)
    yield "gaiarouter.provider", endpoint.provider
    yield "gaiarouter.attempt", len(exchange.attempts) + 1


def _outcome(exchange: Exchange, outcome: str) -> Iterator[tuple[str, Attribute]]:
    yield "gaiarouter.outcome", outcome
    if not exchange.spoke_s:
        return
    if exchange.request is not None and exchange.request.stream:
        yield "gen_ai.response.time_to_first_chunk", exchange.spoke_s - exchange.attempt_started_s
    if exchange.finish_reason is not None:
        yield "gen_ai.response.finish_reasons", (exchange.finish_reason,)
    if (usage := exchange.usage) is not None:
        yield "gen_ai.usage.input_tokens", usage.input_tokens
        yield "gen_ai.usage.output_tokens", usage.output_tokens
        for name, tokens in (
            ("gen_ai.usage.cache_read.input_tokens", usage.in_cache_read),
            ("gen_ai.usage.cache_creation.input_tokens", usage.in_cache_write),
            ("gen_ai.usage.reasoning.output_tokens", usage.out_reasoning),
        ):
            if tokens:
                yield name, tokens
        yield "gaiarouter.usage.estimated", usage.estimated


def _request(exchange: Exchange, record: UsageRecord) -> Iterator[tuple[str, Attribute]]:
    yield "http.response.status_code", record.status
    yield "gaiarouter.request_id", record.request_id
    yield "gaiarouter.key.id", exchange.key_id
    yield "gaiarouter.attempts", record.attempts
    yield "gaiarouter.outcome", record.outcome
    for name, value in (
        ("gaiarouter.organization.id", record.organization),
        ("gaiarouter.route", record.route),
        ("gaiarouter.code", record.error),
        ("gaiarouter.provider", record.provider),
        ("gaiarouter.model", record.model_served),
        ("gen_ai.request.model", record.model_asked),
    ):
        if value is not None:
            yield name, value
    if record.cost_nano_usd is not None:
        yield "gaiarouter.cost_usd", record.cost_nano_usd / 1e9
