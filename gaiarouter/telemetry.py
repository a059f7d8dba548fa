"""Every metric and every field of the request log, declared in one place.

Rule: a label's value comes from the configuration or from a list in this file, never from a request; what is not known
is `other`. Nothing here ever holds a prompt, an answer or a credential.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

OUTCOMES: Final = (
    "ok",
    "connect_error",
    "tls_error",
    "timeout_connect",
    "timeout_first_byte",
    "timeout_idle",
    "timeout_total",
    "reset",
    "protocol_error",
    "bad_response",
    "too_large",
    "http_4xx",
    "http_401",
    "http_402",
    "http_429",
    "http_5xx",
    "cancelled",
)
OTHER: Final = "other"
NONE: Final = "none"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_OVERHEAD: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)

METRICS_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class TargetHealth(Protocol):
    """What the breaker tells the scrape: provider and 0 closed, 1 half open, 2 open."""

    @property
    def provider(self) -> str: ...

    @property
    def level(self) -> int: ...


class Metrics:
    """The process's metrics in a registry of their own, so that several gateways can live in one process.

    With several workers (`PROMETHEUS_MULTIPROC_DIR` set by the supervisor) a scrape of any worker shows all of them.
    """

    def __init__(self) -> None:
        # a series that says when a counter was made would double what is stored, and no query uses it
        disable_created_metrics()
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter(
            "gaiarouter_requests_total",
            "Requests by route, model served, class of status (2xx) and error code (ok).",
            ("route", "model", "code_class", "code"),
            registry=r,
        )
        self.in_flight = Gauge(
            "gaiarouter_requests_in_flight", "Requests being served now.", registry=r, multiprocess_mode="livesum"
        )
        self.duration = Histogram(
            "gaiarouter_request_duration_seconds",
            "From the request's head to the end of its answer.",
            ("route", "stream"),
            buckets=_SECONDS,
            registry=r,
        )
        self.first_content = Histogram(
            "gaiarouter_first_content_seconds",
            "From sending an attempt to its first content (a stream) or whole answer.",
            ("provider",),
            buckets=_SECONDS,
            registry=r,
        )
        self.overhead = Histogram(
            "gaiarouter_overhead_seconds",
            "The gateway's own time until the first byte of an answer.",
            buckets=_OVERHEAD,
            registry=r,
        )
        self.attempts = Counter(
            "gaiarouter_upstream_attempts_total", "Tries at targets.", ("provider", "outcome"), registry=r
        )
        self.fallbacks = Counter(
            "gaiarouter_fallbacks_total",
            "Moves from one provider's target to another's.",
            ("from", "to", "reason"),
            registry=r,
        )
        self.streams_interrupted = Counter(
            "gaiarouter_streams_interrupted_total",
            "Streams that failed after their first content.",
            ("provider", "cause"),
            registry=r,
        )
        self.disconnects = Counter(
            "gaiarouter_client_disconnects_total", "Callers that hung up, by phase.", ("phase",), registry=r
        )
        self.tokens = Counter("gaiarouter_tokens_total", "Tokens by class.", ("provider", "model", "class"), registry=r)
        self.usage_estimated = Counter(
            "gaiarouter_usage_estimated_total",
            "Answers whose usage the provider did not send.",
            ("provider",),
            registry=r,
        )
        self.stale_connections = Counter(
            "gaiarouter_stale_connection_retries_total",
            "Pooled upstream connections found dead and replaced unseen.",
            registry=r,
        )

    def add_collector(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Values read when scraped. Not shown by several workers, whose scrape reads only the shared files."""
        self.registry.register(_Scraped(collect))

    def render(self) -> bytes:
        """The scrape's text. Takes milliseconds for thousands of series: call it in a thread."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library has no annotations there
        return generate_latest(shared)


class _Scraped(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()


def breaker_family(states: Iterable[TargetHealth]) -> GaugeMetricFamily:
    """`gaiarouter_breaker_state`: the worst state among a provider's targets."""
    worst: dict[str, int] = {}
    for state in states:
        worst[state.provider] = max(worst.get(state.provider, 0), state.level)
    family = GaugeMetricFamily(
        "gaiarouter_breaker_state", "0 closed, 1 half open, 2 open: a provider's worst target.", labels=("provider",)
    )
    for provider, level in worst.items():
        family.add_metric((provider,), level)
    return family


def gauge_family(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)
