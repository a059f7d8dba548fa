"""Every metric and every field of the request log, declared in one place.

Rule: a label's value comes from the configuration or from a list in this file, never from a request; what is not known
is `other`. Nothing here ever holds a prompt, an answer or a credential.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

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
    "mended",
    "http_401",
    "http_402",
    "http_429",
    "http_5xx",
    "cancelled",
)
OTHER: Final = "other"
NONE: Final = "none"

_PREFIX: Final = "gaiarouter_"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_LAG: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_OVERHEAD: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)

METRICS_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Count:
    """A counter's series. What is added waits here, and reaches the library when somebody looks: a lock and a look-up
    for every addition cost more than most of what is counted."""

    __slots__ = ("_added", "_series")

    def __init__(self, series: Counter) -> None:
        self._series = series
        self._added = 0.0

    def inc(self, amount: float = 1.0) -> None:
        self._added += amount

    def flush(self) -> None:
        added, self._added = self._added, 0.0
        if added:
            self._series.inc(added)


class Spread:
    """A histogram's series, likewise."""

    __slots__ = ("_bounds", "_counts", "_series", "_sum")

    def __init__(self, series: Histogram) -> None:
        self._series = series
        self._bounds: list[float] = series._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def flush(self) -> None:
        counts, self._counts = self._counts, [0] * len(self._bounds)
        total, self._sum = self._sum, 0.0
        for bucket, count in zip(self._series._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        if total:
            self._series._sum.inc(total)


class Level:
    """A gauge that goes up and down by one."""

    __slots__ = ("_gauge", "_value")

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._value = 0

    def inc(self) -> None:
        self._value += 1

    def dec(self) -> None:
        self._value -= 1

    def flush(self) -> None:
        self._gauge.set(self._value)


S = TypeVar("S", Count, Spread)


class Family(Generic[S]):
    """A metric with labels, whose series are looked up once: what the library does at each call costs microseconds."""

    def __init__(self, metric: Counter | Histogram, kind: Callable[[Any], S]) -> None:
        self._metric = metric
        self._kind: Callable[[Any], S] = kind
        self._series: dict[tuple[str, ...], S] = {}

    def labels(self, *values: str) -> S:
        series = self._series.get(values)
        if series is None:
            made = self._metric.labels(*values) if values else self._metric
            series = self._series[values] = self._kind(made)
        return series

    def flush(self) -> None:
        for series in self._series.values():
            series.flush()


def _counter(registry: CollectorRegistry, name: str, meaning: str, *labels: str) -> Family[Count]:
    return Family(Counter(_PREFIX + name, meaning, labels, registry=registry), Count)


def _histogram(
    registry: CollectorRegistry, name: str, meaning: str, *labels: str, buckets: Sequence[float] | None = None
) -> Family[Spread]:
    return Family(Histogram(_PREFIX + name, meaning, labels, registry=registry, buckets=buckets or _SECONDS), Spread)


def _gauge(registry: CollectorRegistry, name: str, meaning: str, *, of_all: Literal["livesum", "livemin"]) -> Gauge:
    """of_all: what a scrape shows of several workers."""
    return Gauge(_PREFIX + name, meaning, registry=registry, multiprocess_mode=of_all)


class TargetHealth(Protocol):
    """What the breaker tells the scrape: provider and 0 closed, 1 half open, 2 open."""

    @property
    def provider(self) -> str: ...

    @property
    def level(self) -> int: ...


class _Told(Protocol):
    """What keeps what it was told until it is flushed."""

    def flush(self) -> None: ...


class ReloadMetrics:
    """Whether the configuration in force is the file's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._failures = _counter(
            registry,
            "config_reload_failures_total",
            "Reloads of the configuration that changed nothing because of an error.",
        ).labels()
        self._last = _gauge(
            registry,
            "config_last_reload_successful",
            "1 if the configuration in the file is in force, 0 if it has an error.",
            of_all="livemin",
        )
        self._last.set(1)

    def count(self, *, succeeded: bool) -> None:
        self._last.set(succeeded)
        if not succeeded:
            self._failures.inc()

    def flush(self) -> None:
        self._failures.flush()


class Metrics:
    """The process's metrics in a registry of their own, so that several gateways can live in one process.

    With several workers (`PROMETHEUS_MULTIPROC_DIR` set by the supervisor) a scrape of any worker shows all of them.
    What is told is told on the event loop; `flush` there, before anybody looks.
    """

    def __init__(self) -> None:
        # a series that says when a counter was made would double what is stored, and no query uses it
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotations there
        self._registry = registry = CollectorRegistry()
        self._told: list[_Told] = []
        counter, histogram = self._kept(partial(_counter, registry)), self._kept(partial(_histogram, registry))
        self.requests = counter(
            "requests_total",
            "Requests by route, model served, class of status (2xx) and error code (ok).",
            "route", "model", "code_class", "code",
        )  # fmt: skip
        self.in_flight = Level(_gauge(registry, "requests_in_flight", "Requests being served now.", of_all="livesum"))
        self._told.append(self.in_flight)
        self.duration = histogram(
            "request_duration_seconds", "From a request's head to the end of its answer.", "route", "stream"
        )
        self.first_content = histogram(
            "first_content_seconds", "From sending to the first content, or a whole answer.", "provider"
        )
        self.overhead = histogram(
            "overhead_seconds", "The gateway's own time until the first byte of an answer.", buckets=_OVERHEAD
        ).labels()
        self.attempts = counter("upstream_attempts_total", "Tries at targets.", "provider", "outcome")
        self.fallbacks = counter("fallbacks_total", "Moves from one target to another.", "from", "to", "reason")
        self.streams_interrupted = counter(
            "streams_interrupted_total", "Streams that failed after their first content.", "provider", "cause"
        )
        self.disconnects = counter("client_disconnects_total", "Callers that hung up, by phase.", "phase")
        self.shed = counter("shed_total", "Requests and connections turned away for want of room.", "reason")
        self.media_loads = counter("media_loads_total", "Pictures and files loaded for targets.", "outcome")
        self.stale_connections = counter(
            "stale_connection_retries_total", "Pooled upstream connections found dead and replaced unseen."
        ).labels()
        self.loop_lag = histogram(
            "event_loop_lag_seconds", "How late the event loop was, looked at twice a second.", buckets=_LAG
        ).labels()
        self.spans = counter("trace_spans_total", "Spans of traces, by what became of them.", "fate")
        self.reloads = ReloadMetrics(registry)
        self._told.append(self.reloads)
        self._declare_usage(counter)

    def _declare_usage(self, counter: Callable[..., Family[Count]]) -> None:
        self.tokens = counter("tokens_total", "Tokens by class.", "provider", "model", "class")
        self.cost = counter("cost_usd_total", "What answers cost, in US dollars.", "provider", "model")
        self.unpriced = counter(
            "unpriced_total", "Answers of models whose price nobody knows: they are in no cost.", "provider", "model"
        )
        self.usage_estimated = counter(
            "usage_estimated_total", "Answers whose usage the provider did not send.", "provider"
        )

        self.budget_refusals = counter("budget_refusals_total", "Requests that a budget had no room for.", "scope")
        self.budget_warnings = counter(
            "budget_soft_threshold_total", "Requests let in with four fifths of a budget spent or reserved.", "scope"
        )
        self.limits_alone = counter(
            "limits_alone_total", "Times that Redis did not answer and limits went on by this process's share."
        ).labels()
        gauge = partial(Gauge, registry=self._registry, multiprocess_mode="livesum")
        self.ledger_pending = gauge(f"{_PREFIX}ledger_pending", "Usage records not in the store yet.")
        self.ledger_spool_bytes = gauge(f"{_PREFIX}ledger_spool_bytes", "Bytes of the journal on disk, sent or not.")
        self.ledger_dropped = counter("ledger_dropped_total", "Usage records lost for want of room.").labels()
        self.ledger_replayed = counter(
            "ledger_replayed_total", "Usage records of processes that died, brought into the store."
        ).labels()

    def _kept(self, make: Callable[..., Family[S]]) -> Callable[..., Family[S]]:
        def made(*about: Any, **more: Any) -> Family[S]:
            family = make(*about, **more)
            self._told.append(family)
            return family

        return made

    @property
    def registry(self) -> CollectorRegistry:
        """With all that was told until now."""
        self.flush()
        return self._registry

    def flush(self) -> None:
        """Call it on the event loop, where the metrics are told what happens."""
        for each in self._told:
            each.flush()

    async def close(self) -> None:
        self.flush()

    def beat(self, lag_s: float) -> None:
        """Twice a second. Other workers' scrapes see what was told until the last beat."""
        self.loop_lag.observe(lag_s)
        self.flush()

    def add_collector(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Values read when scraped. Not shown by several workers, whose scrape reads only the shared files."""
        self._registry.register(_Scraped(collect))

    def render(self) -> bytes:
        """The scrape's text, as of the last `flush`. Takes milliseconds for thousands of series: for a thread."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
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


def resting_family(seen: Iterable[str], resting: Iterable[str]) -> GaugeMetricFamily:
    """`gaiarouter_resting`. seen: providers that have been asked. resting: the provider of each target and key that
    rests."""
    counts = dict.fromkeys(seen, 0)
    for provider in resting:
        counts[provider] = counts.get(provider, 0) + 1
    family = GaugeMetricFamily(
        "gaiarouter_resting", "Targets and keys of a provider that rest: throttled or refused.", labels=("provider",)
    )
    for provider, count in counts.items():
        family.add_metric((provider,), count)
    return family


def gauge_family(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)
