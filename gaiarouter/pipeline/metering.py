"""Price it, journal it, count it: a usage record, a log line and the metrics for every request, however it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from msgspec import UNSET

from gaiarouter.canonical.usage import Usage
from gaiarouter.errors import CallerGone, GatewayError, LimitExceeded, UpstreamError
from gaiarouter.pipeline.exchange import AttemptRecord, Exchange, Reply
from gaiarouter.pipeline.request_line import RequestLine
from gaiarouter.pipeline.runner import Stage
from gaiarouter.store.records import LostAttempt, UsageRecord
from gaiarouter.telemetry import NONE, OTHER, Metrics

_GONE: Final = (asyncio.CancelledError, CallerGone)


class Ledger(Protocol):
    def record(self, record: UsageRecord) -> None: ...


class Metering(Stage):
    """models: names that may be a metric's label; others are counted as `other`. tell: writes the line."""

    def __init__(
        self,
        ledger: Ledger,
        metrics: Metrics,
        clock: Callable[[], float],
        *,
        models: Iterable[str],
        tell: Callable[[RequestLine], None],
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._models = frozenset(models)
        self._tell = tell

    def finish(self, exchange: Exchange) -> None:
        ending = _WELL if exchange.complete or exchange.error is None else _ended(exchange, exchange.error)
        record = _record(exchange, ending, self._clock() - exchange.received_s)
        if exchange.key is not None or exchange.lease is not None:
            # who could not say who they are leave a count, not a row: rows are for those who can be billed
            self._ledger.record(record)
        self._count(exchange, ending, record)
        if exchange.trace is not None:
            exchange.trace.end(exchange, record)
        self._tell(_line(exchange, record))

    def _count(self, exchange: Exchange, ending: _Ending, record: UsageRecord) -> None:
        served, attempts = exchange.served, exchange.attempts
        route = record.route or NONE
        provider = served.provider if served else NONE
        model = (served.model if served.model in self._models else OTHER) if served else NONE
        if ending is _WELL and exchange.spoke_s and len(attempts) == 1 and attempts[0].outcome == "ok":
            self._metrics.answers.add(
                (route, provider, model, record.streamed),
                record.duration_us,
                exchange.spoke_s - exchange.attempt_started_s,
                exchange.spoke_s - exchange.received_s - exchange.upstream_s,
                exchange.usage,
                exchange.cost_nano,
            )
        else:
            self._count_unusual(exchange, ending, record, (route, provider, model))

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
            metrics.overhead.observe(max(0.0, exchange.spoke_s - exchange.received_s - exchange.upstream_s))
        if ending.outcome == "interrupted":
            metrics.streams_interrupted.labels(provider, ending.code or OTHER).inc()
        if isinstance(exchange.error, LimitExceeded) and exchange.error.limit is not None:
            metrics.limit_refusals.labels(exchange.error.limit).inc()
        if ending.outcome == "cancelled":
            metrics.disconnects.labels(_phase(exchange.reply)).inc()
        metrics.answers.used(provider, model, (exchange.usage,), (exchange.cost_nano,))


def _phase(reply: Reply) -> str:
    """When the caller was lost, as the metric has it."""
    if reply.stalled:
        return "slow"
    return "mid" if reply.committed else "before"


class _Ending(NamedTuple):
    """How a request ended. status: what the caller saw; 499 if nobody was there to see it.

    outcome: ok, error (refused or failed before any content), interrupted (failed in mid-answer), cancelled.
    """

    status: int
    outcome: str
    code: str | None


_WELL: Final = _Ending(200, "ok", None)


def _ended(exchange: Exchange, error: BaseException) -> _Ending:
    if isinstance(error, _GONE):
        return _Ending(CallerGone.status, "cancelled", CallerGone.code)
    status, code = (error.status, error.code or OTHER) if isinstance(error, GatewayError) else (500, "internal_error")
    if exchange.reply.started:
        return _Ending(200, "interrupted" if exchange.reply.committed else "error", code)
    return _Ending(status, "error", code)


_NOTHING: Final = Usage()


def _record(exchange: Exchange, ending: _Ending, duration_s: float) -> UsageRecord:
    """In the order of its fields: two dozen names in a call are looked up one by one."""
    key, request, served = exchange.key, exchange.request, exchange.served
    usage = _NOTHING if exchange.usage is None else exchange.usage
    return UsageRecord(
        exchange.id,
        exchange.received_us,
        None if key is None else key.id,
        None if key is None else key.organization,
        None if exchange.match is None else exchange.match.route.name,
        None if request is None else request.model[:128],
        None if served is None else served.model[:128],
        None if served is None else served.provider,
        len(exchange.attempts),
        ending.status,
        ending.outcome,
        ending.code,
        False if request is None else request.stream,
        usage.in_uncached,
        usage.in_cache_read,
        usage.in_cache_write,
        usage.in_tool,
        usage.out_visible,
        usage.out_reasoning,
        usage.estimated,
        exchange.cost_nano,
        round(duration_s * 1e6),
        round((exchange.spoke_s - exchange.received_s) * 1e6) if exchange.spoke_s else None,
        exchange.request_id,
        tuple([_lost(each, each.lost) for each in exchange.attempts if each.lost is not None]),
        () if exchange.grant is None else exchange.grant.owed,
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


def _line(exchange: Exchange, record: UsageRecord) -> RequestLine:
    """In the order of its fields, as _record."""
    usage, error, trace = exchange.usage, exchange.error, exchange.trace
    return RequestLine(
        record.request_id,
        exchange.key_id,
        record.organization,
        exchange.source(),
        exchange.dialect.name,
        record.route,
        record.model_asked,
        record.provider,
        record.model_served,
        [
            f"{each.provider}/{each.model}: {each.outcome}{'' if each.lost is None else ' (may be billed)'}"
            for each in exchange.attempts
        ],
        record.status,
        record.outcome,
        record.error,
        record.streamed,
        record.duration_us / 1000,
        None if record.first_content_us is None else record.first_content_us / 1000,
        round(exchange.upstream_s * 1000, 3) if exchange.attempts else None,
        None if usage is None else usage.input_tokens,
        None if usage is None else usage.in_cache_read,
        None if usage is None else usage.output_tokens,
        None if usage is None else usage.out_reasoning,
        record.estimated,
        record.cost_nano_usd,
        UNSET if trace is None else trace.id,
        UNSET if usage is None or not usage.units else usage.units,
        UNSET if not isinstance(error, UpstreamError) or error.provider_status is None else error.provider_status,
    )
