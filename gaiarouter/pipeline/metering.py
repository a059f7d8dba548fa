"""Price it, journal it, count it: a usage record, a log line and the metrics for every request, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, Protocol

import structlog

from gaiarouter.canonical.usage import Usage
from gaiarouter.errors import CallerGone, GatewayError, LimitExceeded, UpstreamError
from gaiarouter.pipeline.exchange import AttemptRecord, Exchange
from gaiarouter.pipeline.runner import Stage
from gaiarouter.store.records import LostAttempt, UsageRecord
from gaiarouter.telemetry import NONE, OTHER, Metrics

_log = structlog.get_logger("gaiarouter.request")

_GONE: Final = (asyncio.CancelledError, CallerGone)


class Ledger(Protocol):
    def record(self, record: UsageRecord) -> None: ...


class Metering(Stage):
    """models: names that may be a metric's label; others are counted as `other`."""

    def __init__(self, ledger: Ledger, metrics: Metrics, clock: Callable[[], float], models: Iterable[str]) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._models = frozenset(models)
        self._tell: Callable[..., None] = _log.info
        self._usual: dict[tuple[str, str, str, bool], _Usual] = {}

    def finish(self, exchange: Exchange) -> None:
        ending = _Ending(exchange)
        record = _record(exchange, ending, self._clock() - exchange.received_s)
        if exchange.key is not None or exchange.lease is not None:
            # who could not say who they are leave a count, not a row: rows are for those who can be billed
            self._ledger.record(record)
        self._count(exchange, ending, record)
        if exchange.trace is not None:
            exchange.trace.end(exchange, record)
        self._tell("request.end", **_line(exchange, record))

    def _count(self, exchange: Exchange, ending: _Ending, record: UsageRecord) -> None:
        metrics, served, attempts = self._metrics, exchange.served, exchange.attempts
        route = exchange.match.route.name if exchange.match else NONE
        provider = served.provider if served else NONE
        model = (served.model if served.model in self._models else OTHER) if served else NONE
        if ending.outcome == "ok" and exchange.spoke_s and len(attempts) == 1 and attempts[0].outcome == "ok":
            self._count_usual(exchange, record, (route, provider, model, record.streamed))
        else:
            self._count_unusual(exchange, ending, record, (route, provider, model))
        if exchange.spoke_s:
            metrics.overhead.observe(max(0.0, exchange.spoke_s - exchange.received_s - exchange.upstream_s))
        if exchange.usage is not None:
            self._count_tokens(exchange.usage, exchange.cost_nano, provider, model)

    def _count_usual(self, exchange: Exchange, record: UsageRecord, about: tuple[str, str, str, bool]) -> None:
        """The first target that was tried has answered."""
        usual = self._usual.get(about)
        if usual is None:
            usual = self._usual[about] = _Usual(self._metrics, *about)
        usual.requests.inc()
        usual.duration.observe(record.duration_us / 1e6)
        usual.attempts.inc()
        usual.first_content.observe(exchange.spoke_s - exchange.attempt_started_s)

    def _count_unusual(
        self, exchange: Exchange, ending: _Ending, record: UsageRecord, about: tuple[str, str, str]
    ) -> None:
        metrics, (route, provider, model) = self._metrics, about
        metrics.requests.labels(route, model, f"{ending.status // 100}xx", ending.code or "ok").inc()
        metrics.duration.labels(route, "true" if record.streamed else "false").observe(record.duration_us / 1e6)
        previous = None
        for attempt in exchange.attempts:
            metrics.attempts.labels(attempt.provider, attempt.outcome).inc()
            if attempt.lost is not None:
                metrics.lost_attempts.labels(attempt.provider, attempt.outcome).inc()
                metrics.lost_cost.labels(attempt.provider).inc((attempt.lost_nano or 0) / 1e9)
            if previous is not None and (previous.provider, previous.model) != (attempt.provider, attempt.model):
                metrics.fallbacks.labels(previous.provider, attempt.provider, previous.outcome).inc()
            previous = attempt
        if exchange.spoke_s:
            metrics.first_content.labels(provider).observe(exchange.spoke_s - exchange.attempt_started_s)
        if ending.outcome == "interrupted":
            metrics.streams_interrupted.labels(provider, ending.code or OTHER).inc()
        if isinstance(exchange.error, LimitExceeded) and exchange.error.limit is not None:
            metrics.limit_refusals.labels(exchange.error.limit).inc()
        if ending.outcome == "cancelled":
            metrics.disconnects.labels("mid" if exchange.reply.committed else "before").inc()

    def _count_tokens(self, usage: Usage, cost_nano: int | None, provider: str, model: str) -> None:
        if cost_nano is not None:
            self._metrics.cost.labels(provider, model).inc(cost_nano / 1e9)
        elif (usage.total_tokens or usage.units) and provider is not NONE:
            self._metrics.unpriced.labels(provider, model).inc()
        for name, tokens in zip(_BUCKETS, _in_buckets(usage), strict=True):
            if tokens:
                self._metrics.tokens.labels(provider, model, name).inc(tokens)
        if usage.estimated:
            self._metrics.usage_estimated.labels(provider).inc()


_BUCKETS: Final = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
_in_buckets = attrgetter(*_BUCKETS)


class _Usual:
    """The series that a request adds to whose first target answers, looked up once for each route and model."""

    __slots__ = ("attempts", "duration", "first_content", "requests")

    def __init__(self, metrics: Metrics, route: str, provider: str, model: str, streamed: bool) -> None:
        self.requests = metrics.requests.labels(route, model, "2xx", "ok")
        self.duration = metrics.duration.labels(route, "true" if streamed else "false")
        self.attempts = metrics.attempts.labels(provider, "ok")
        self.first_content = metrics.first_content.labels(provider)


class _Ending:
    """How a request ended. status: what the caller saw; 499 if nobody was there to see it.

    outcome: ok, error (refused or failed before any content), interrupted (failed in mid-answer), cancelled.
    """

    __slots__ = ("code", "outcome", "status")

    def __init__(self, exchange: Exchange) -> None:
        error = exchange.error
        self.status, self.code, self.outcome = 200, None, "ok"
        if exchange.complete or error is None:
            return
        if isinstance(error, _GONE):
            self.status, self.code, self.outcome = CallerGone.status, CallerGone.code, "cancelled"
        elif isinstance(error, GatewayError):
            self.status, self.code, self.outcome = error.status, error.code or OTHER, "error"
        else:
            self.status, self.code, self.outcome = 500, "internal_error", "error"
        if self.outcome == "error" and exchange.reply.started:
            self.status, self.outcome = 200, "interrupted" if exchange.reply.committed else "error"


def _record(exchange: Exchange, ending: _Ending, duration_s: float) -> UsageRecord:
    usage, served = exchange.usage or Usage(), exchange.served
    return UsageRecord(
        id=exchange.id,
        request_id=exchange.request_id,
        time_us=exchange.received_us,
        key=exchange.key.id if exchange.key else None,
        organization=exchange.key.organization if exchange.key else None,
        route=exchange.match.route.name if exchange.match else None,
        model_asked=exchange.request.model[:128] if exchange.request else None,
        model_served=served.model[:128] if served else None,
        provider=served.provider if served else None,
        attempts=len(exchange.attempts),
        status=ending.status,
        outcome=ending.outcome,
        error=ending.code,
        streamed=exchange.request.stream if exchange.request else False,
        in_uncached=usage.in_uncached,
        in_cache_read=usage.in_cache_read,
        in_cache_write=usage.in_cache_write,
        in_tool=usage.in_tool,
        out_visible=usage.out_visible,
        out_reasoning=usage.out_reasoning,
        estimated=usage.estimated,
        cost_nano_usd=exchange.cost_nano,
        duration_us=round(duration_s * 1e6),
        first_content_us=round((exchange.spoke_s - exchange.received_s) * 1e6) if exchange.spoke_s else None,
        lost=tuple([_lost(each, each.lost) for each in exchange.attempts if each.lost is not None]),
        owed=exchange.grant.owed if exchange.grant is not None else (),
    )


def _lost(attempt: AttemptRecord, usage: Usage) -> LostAttempt:
    return LostAttempt(
        provider=attempt.provider,
        model=attempt.model[:128],
        outcome=attempt.outcome,
        in_uncached=usage.in_uncached + usage.in_tool,
        in_cache_read=usage.in_cache_read,
        in_cache_write=usage.in_cache_write,
        out=usage.output_tokens,
        estimated=usage.estimated,
        cost_nano_usd=attempt.lost_nano,
    )


def _line(exchange: Exchange, record: UsageRecord) -> dict[str, object]:
    usage = exchange.usage
    line: dict[str, object] = {
        "request_id": record.request_id,
        "key": exchange.key_id,
        "organization": record.organization,
        "source": exchange.source(),
        "dialect": exchange.dialect.name,
        "route": record.route,
        "model": record.model_asked,
        "provider": record.provider,
        "model_served": record.model_served,
        "attempts": [_attempt(each) for each in exchange.attempts],
        "status": record.status,
        "outcome": record.outcome,
        "code": record.error,
        "stream": record.streamed,
        "duration_ms": record.duration_us / 1000,
        "ttft_ms": record.first_content_us / 1000 if record.first_content_us is not None else None,
        "upstream_ms": round(exchange.upstream_s * 1000, 3) if exchange.attempts else None,
        "tokens_in": usage.input_tokens if usage else None,
        "tokens_cached": usage.in_cache_read if usage else None,
        "tokens_out": usage.output_tokens if usage else None,
        "tokens_reasoning": usage.out_reasoning if usage else None,
        "estimated": record.estimated,
        "cost_nano_usd": record.cost_nano_usd,
    }
    if exchange.trace is not None:
        line["trace_id"] = exchange.trace.id
    if usage is not None and usage.units:
        line["units"] = dict(usage.units)
    if isinstance(exchange.error, UpstreamError) and exchange.error.provider_status is not None:
        line["provider_status"] = exchange.error.provider_status
    return line


def _attempt(attempt: AttemptRecord) -> str:
    told = f"{attempt.provider}/{attempt.model}: {attempt.outcome}"
    return f"{told} (may be billed)" if attempt.lost is not None else told
