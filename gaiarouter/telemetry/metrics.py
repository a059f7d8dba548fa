"""The process's metrics, as the catalogue declares them, and the scrape."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from gaiarouter.telemetry.answers import Answers
from gaiarouter.telemetry.catalogue import CATALOGUE, PREFIX
from gaiarouter.telemetry.series import Count, Family, Level, Spread

S = TypeVar("S", Count, Spread)

_SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
_LOOK_EVERY: Final = 10
"""Beats, which are half a second apart: what other workers' scrapes see of this one's gauges is as old at the most."""


class _Told(Protocol):
    """What keeps what it was told until it is flushed."""

    def flush(self) -> None: ...


class Metrics:
    """In a registry of their own, so that several gateways can live in one process.

    With several workers (`PROMETHEUS_MULTIPROC_DIR` set by the supervisor) a scrape of any worker shows all of them.
    What is told is told on the event loop; `flush` there, before anybody looks.
    """

    def __init__(self) -> None:
        # a series that says when a counter was made would double what is stored, and no query uses it
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotations there
        self._registry = CollectorRegistry()
        self._told: list[_Told] = []
        self._looks: list[Callable[[], None]] = []
        self._beats = 0
        self._is_shared = _SHARED in os.environ
        self.answers = Answers(self)
        self._told.append(self.answers)  # the first, since it tells others
        self._declare_requests()
        self._declare_providers()
        self._declare_usage()
        self._declare_process()

    def _declare_requests(self) -> None:
        self.requests = self._counter("requests_total")
        self.in_flight = Level(self._gauge("requests_in_flight"))
        self._told.append(self.in_flight)
        self.pending = self._gauge("requests_pending")
        self.slots = self._gauge("request_slots")
        self.duration = self._histogram("request_duration_seconds")
        self.first_content = self._histogram("first_content_seconds")
        self.overhead = self._histogram("overhead_seconds").labels()
        self.disconnects = self._counter("client_disconnects_total")
        self.shed = self._counter("shed_total")
        self.limit_refusals = self._counter("limit_refusals_total")
        self.auth_failures = self._counter("auth_failures_total")
        self.control_requests = self._counter("control_requests_total")
        self.connections = self._gauge("connections")

    def _declare_providers(self) -> None:
        self.attempts = self._counter("upstream_attempts_total")
        self.fallbacks = self._counter("fallbacks_total")
        self.streams_interrupted = self._counter("streams_interrupted_total")
        self.breaker_state = _ByName(self._gauge("breaker_state"))
        self.breaker_transitions = self._counter("breaker_transitions_total")
        self.resting = _ByName(self._gauge("resting"))
        self.rests = self._counter("rests_total")
        self.upstream_connections = self._gauge("upstream_connections")
        self.upstream_connects = self._counter("upstream_connects_total").labels()
        self.stale_connections = self._counter("stale_connection_retries_total").labels()
        self.media_loads = self._counter("media_loads_total")

    def _declare_usage(self) -> None:
        self.tokens = self._counter("tokens_total")
        self.cost = self._counter("cost_usd_total")
        self.unpriced = self._counter("unpriced_total")
        self.usage_estimated = self._counter("usage_estimated_total")
        self.usage_rejected = self._counter("usage_rejected_total")
        self.budget_refusals = self._counter("budget_refusals_total")
        self.budget_warnings = self._counter("budget_soft_threshold_total")
        self.budget_grace = self._counter("budget_grace_total").labels()
        self.lost_attempts = self._counter("lost_attempts_total")
        self.lost_cost = self._counter("lost_cost_usd_total")
        self.limits_alone = self._counter("limits_alone_total").labels()
        self.ledger_pending = self._gauge("ledger_pending")
        self.ledger_oldest = self._gauge("ledger_oldest_seconds")
        self.ledger_spool_bytes = self._gauge("ledger_spool_bytes")
        self.ledger_written = self._counter("ledger_written_total").labels()
        self.ledger_dropped = self._counter("ledger_dropped_total").labels()
        self.ledger_replayed = self._counter("ledger_replayed_total").labels()
        self.storage_away = self._gauge("storage_away")
        self.store_connections = self._gauge("store_connections")

    def _declare_process(self) -> None:
        self.build_info = self._gauge("build_info")
        self.workers = self._gauge("workers")
        self.worker_starts = self._counter("worker_starts_total").labels()
        self.reloads = ReloadMetrics(
            self._counter("config_reloads_total").labels(),
            self._counter("config_reload_failures_total").labels(),
            self._gauge("config_last_reload_successful"),
            self._gauge("config_last_reload_success_timestamp_seconds"),
        )
        self.tls_expiry = self._gauge("tls_certificate_expiry_timestamp_seconds")
        self.tls_reloads = self._counter("tls_reloads_total").labels()
        self.tls_reload_failures = self._counter("tls_reload_failures_total").labels()
        self.tls_last_reload_successful = self._gauge("tls_last_reload_successful")
        self.loop_lag = self._histogram("event_loop_lag_seconds").labels()
        self.loop_tasks = self._gauge("event_loop_tasks")
        self.memory = self._gauge("memory_resident_bytes")
        self.descriptors = self._gauge("descriptors_open")
        self.descriptors_limit = self._gauge("descriptors_limit")
        self.spans = self._counter("trace_spans_total")
        self.log_bodies = self._counter("log_bodies_total")
        self.log_dropped = self._counter("log_lines_dropped_total").labels()

    def _counter(self, name: str) -> Family[Count]:
        declared = CATALOGUE[name]
        metric = Counter(PREFIX + name, declared.meaning, declared.labels, registry=self._registry)
        return self._kept(Family(metric, Count))

    def _histogram(self, name: str) -> Family[Spread]:
        declared = CATALOGUE[name]
        metric = Histogram(
            PREFIX + name, declared.meaning, declared.labels, registry=self._registry, buckets=declared.buckets
        )
        return self._kept(Family(metric, Spread))

    def _gauge(self, name: str) -> Gauge:
        declared = CATALOGUE[name]
        return Gauge(
            PREFIX + name,
            declared.meaning,
            declared.labels,
            registry=self._registry,
            multiprocess_mode=declared.of_all,
        )

    def _kept(self, family: Family[S]) -> Family[S]:
        self._told.append(family)
        return family

    @property
    def registry(self) -> CollectorRegistry:
        """With all that was told until now."""
        self.look()
        return self._registry

    def started(self, version: str) -> None:
        """A process began to serve."""
        self.build_info.labels(version, platform.python_version()).set(1)
        self.workers.set(1)
        self.worker_starts.inc()

    def on_look(self, look: Callable[[], None]) -> None:
        """look: sets gauges to what they are now. Called on the event loop before a scrape, and now and then for those
        of other workers."""
        self._looks.append(look)

    def look(self) -> None:
        """Call it on the event loop, where the metrics are told what happens."""
        for look in self._looks:
            look()
        self._flush()

    def _flush(self) -> None:
        for each in self._told:
            each.flush()

    async def close(self) -> None:
        self.look()
        self._looks.clear()

    def beat(self, lag_s: float) -> None:
        """Twice a second. Other workers' scrapes see what was told until the last beat; a process that is alone looks
        when it is scraped."""
        self.loop_lag.observe(lag_s)
        self._beats += 1
        if self._is_shared and self._beats % _LOOK_EVERY == 0:
            self.look()
        else:
            self._flush()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The scrape's text as of the last `look`, and its media type: OpenMetrics for who accepts it, else
        Prometheus' own. Takes milliseconds for thousands of series: for a thread."""
        encode, media_type = choose_encoder(accept)
        if not self._is_shared:
            return encode(self._registry), media_type
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library has no annotations there
        return encode(shared), media_type


class ReloadMetrics:
    """Whether the configuration in force is the file's."""

    def __init__(self, reloads: Count, failures: Count, last: Gauge, since: Gauge) -> None:
        self._reloads = reloads
        self._failures = failures
        self._last = last
        self._since = since
        self._last.set(1)
        self._since.set(time.time())

    def count(self, *, succeeded: bool) -> None:
        self._last.set(succeeded)
        self._reloads.inc()
        if succeeded:
            self._since.set(time.time())
        else:
            self._failures.inc()


class _ByName:
    """A gauge for each name of a set that changes: the library forgets none where workers share files, so that one that
    is gone reads 0."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._known: set[str] = set()

    def set_all(self, values: Mapping[str, float]) -> None:
        for name in self._known - values.keys():
            self._gauge.labels(name).set(0)
        for name, value in values.items():
            self._gauge.labels(name).set(value)
        self._known |= values.keys()


class TargetHealth(Protocol):
    """What the breaker tells: provider and 0 closed, 1 half open, 2 open. rests_s: still to come."""

    @property
    def provider(self) -> str: ...

    @property
    def level(self) -> int: ...

    @property
    def rests_s(self) -> float: ...


def worst_levels(targets: Iterable[TargetHealth]) -> Mapping[str, int]:
    """By provider, that of the target which is worst off."""
    worst: dict[str, int] = {}
    for target in targets:
        worst[target.provider] = max(worst.get(target.provider, 0), target.level)
    return worst


def resting_counts(targets: Iterable[TargetHealth], keys: Iterable[str]) -> Mapping[str, int]:
    """By provider, how many of its targets and keys rest. keys: the provider of each key that does."""
    counts: dict[str, int] = {}
    for target in targets:
        counts[target.provider] = counts.get(target.provider, 0) + (target.rests_s > 0)
    for provider in keys:
        counts[provider] = counts.get(provider, 0) + 1
    return counts
