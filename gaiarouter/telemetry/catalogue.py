"""Every metric of the gateway, and what its labels may be. docs/metrics.md is written from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "gaiarouter_"
OTHER: Final = "other"
NONE: Final = "none"

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

Kind = Literal["counter", "gauge", "histogram"]
OfAll = Literal["livesum", "livemax", "livemin"]

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_LAG: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_OVERHEAD: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)


@dataclass(frozen=True, slots=True)
class Declared:
    """name: without the prefix. of_all: what a scrape shows of several workers' gauges; counters and histograms are
    always summed. buckets: a histogram's, in seconds."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    of_all: OfAll = "livesum"
    buckets: tuple[float, ...] = ()


def _counter(name: str, meaning: str, *labels: str) -> Declared:
    return Declared(name, "counter", meaning, labels)


def _gauge(name: str, meaning: str, *labels: str, of_all: OfAll = "livesum") -> Declared:
    return Declared(name, "gauge", meaning, labels, of_all)


def _histogram(name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Declared:
    return Declared(name, "histogram", meaning, labels, buckets=buckets)


_OF_REQUESTS: Final = (
    _counter(
        "requests_total",
        "Requests by route, model served, class of status (2xx) and error code (ok).",
        "route", "model", "code_class", "code",
    ),
    _gauge("requests_in_flight", "Requests being served now."),
    _gauge("requests_pending", "Requests that wait for one of those to end."),
    _gauge("request_slots", "Requests that may be served at the same time."),
    _histogram("request_duration_seconds", "From a request's head to the end of its answer.", "route", "stream"),
    _histogram("first_content_seconds", "From sending to the first content, or a whole answer.", "provider"),
    _histogram("overhead_seconds", "The gateway's own time until the first byte of an answer.", buckets=_OVERHEAD),
    _counter("client_disconnects_total", "Callers that hung up or were given up, by phase.", "phase"),
    _counter("shed_total", "Requests and connections turned away for want of room.", "reason"),
    _counter("limit_refusals_total", "Requests that a limit of their key or organization refused.", "limit"),
    _counter("auth_failures_total", "Callers who were not let in.", "reason"),
    _counter("control_requests_total", "Requests of operators.", "operation", "code_class"),
    _gauge("connections", "Connections of callers and operators.", "listener"),
)  # fmt: skip
_OF_PROVIDERS: Final = (
    _counter("upstream_attempts_total", "Tries at targets.", "provider", "outcome"),
    _counter("fallbacks_total", "Moves from one target to another.", "from", "to", "reason"),
    _counter("streams_interrupted_total", "Streams that failed after their first content.", "provider", "cause"),
    _gauge("breaker_state", "0 closed, 1 half open, 2 open: a provider's worst target.", "provider", of_all="livemax"),
    _counter("breaker_transitions_total", "Changes of the breakers of a provider's targets.", "provider", "to"),
    _gauge("resting", "Targets and keys of a provider that rest: throttled or refused.", "provider", of_all="livemax"),
    _counter("rests_total", "Times that a target or key of a provider was put to rest.", "provider", "reason"),
    _gauge("upstream_connections", "Connections to providers.", "state"),
    _counter("upstream_connects_total", "Connections to providers that were opened."),
    _counter("stale_connection_retries_total", "Pooled upstream connections found dead and replaced unseen."),
    _counter("media_loads_total", "Pictures and files loaded for targets.", "outcome"),
)
_OF_USAGE: Final = (
    _counter("tokens_total", "Tokens by class.", "provider", "model", "class"),
    _counter("cost_usd_total", "What answers cost, in US dollars.", "provider", "model"),
    _counter("unpriced_total", "Answers of models whose price nobody knows: they are in no cost.", "provider", "model"),
    _counter("usage_estimated_total", "Answers whose usage was estimated: none came, or none to believe.", "provider"),
    _counter("usage_rejected_total", "Answers whose usage came and was not believed, by extent.", "provider", "extent"),
    _counter("budget_refusals_total", "Requests that a budget had no room for.", "scope"),
    _counter("budget_soft_threshold_total", "Requests let in with four fifths of a budget spent or reserved.", "scope"),
    _counter("budget_grace_total", "Requests let in by what was last known of their budget: the database was away."),
    _counter("lost_attempts_total", "Tries that failed and that the provider may bill.", "provider", "outcome"),
    _counter("lost_cost_usd_total", "What those cost whose price is known, in US dollars.", "provider"),
    _counter("limits_alone_total", "Times that Redis did not answer and limits went on by this process's share."),
    _gauge("ledger_pending", "Usage records not in the store yet."),
    _gauge(
        "ledger_oldest_seconds",
        "How long ago the request ended whose usage record waits longest for the store; 0 where none does.",
        of_all="livemax",
    ),
    _gauge("ledger_spool_bytes", "Bytes of the journal on disk, sent or not."),
    _counter("ledger_written_total", "Usage records that the store has taken."),
    _counter("ledger_dropped_total", "Usage records lost for want of room."),
    _counter("ledger_replayed_total", "Usage records of processes that died, brought into the store."),
    _gauge("storage_away", "1 while the database does not answer, else 0.", of_all="livemax"),
    _gauge("store_connections", "Connections to the database.", "state"),
)
_OF_THE_PROCESS: Final = (
    _gauge("build_info", "1; its labels say what runs.", "version", "python", of_all="livemax"),
    _gauge("workers", "Processes that serve."),
    _counter("worker_starts_total", "Processes that began to serve: more than there are workers have died."),
    _counter("config_reloads_total", "Reloads of the configuration, each worker's."),
    _counter("config_reload_failures_total", "Reloads of the configuration that changed nothing because of an error."),
    _gauge(
        "config_last_reload_successful",
        "1 if the configuration in the file is in force, 0 if it has an error.",
        of_all="livemin",
    ),
    _gauge(
        "config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read.",
        of_all="livemin",
    ),
    _gauge(
        "tls_certificate_expiry_timestamp_seconds", "When the certificate in use ends; 0 without TLS.", of_all="livemin"
    ),
    _counter("tls_reloads_total", "Times that files of the certificate had changed, by each worker's look."),
    _counter("tls_reload_failures_total", "Those of which could not be used: the certificate before them serves on."),
    _gauge(
        "tls_last_reload_successful",
        "1 if the certificate in the files is in use, else 0.",
        of_all="livemin",
    ),
    _histogram("event_loop_lag_seconds", "How late the event loop was, looked at twice a second.", buckets=_LAG),
    _gauge("event_loop_tasks", "Tasks on the event loop."),
    _gauge("memory_resident_bytes", "Memory that is in use."),
    _gauge("descriptors_open", "File descriptors in use.", of_all="livemax"),
    _gauge("descriptors_limit", "File descriptors that one process may use.", of_all="livemin"),
    _counter("trace_spans_total", "Spans of traces, by what became of them.", "fate"),
    _counter("log_bodies_total", "Requests of keys whose bodies are kept, by what became of them.", "fate"),
    _counter("log_lines_dropped_total", "Log lines that standard output did not take."),
)

CATALOGUE: Final[Mapping[str, Declared]] = {
    declared.name: declared for declared in (*_OF_REQUESTS, *_OF_PROVIDERS, *_OF_USAGE, *_OF_THE_PROCESS)
}

LABELS: Final[Mapping[str, str | tuple[str, ...]]] = {
    "route": "the routes of the configuration by their first glob; `none` where none was found",
    "model": "the models that the table or the catalogue spells out; `other`, and `none` where nobody was asked",
    "provider": "the names under `providers:`; `none`",
    "from": "as `provider`",
    "to": "of a fallback as `provider`; of a breaker `open`, `half_open`, `closed`",
    "code": "an [error's code](errors.md), or `ok`",
    "cause": "as `code`",
    "code_class": ("2xx", "4xx", "5xx"),
    "stream": ("true", "false"),
    "outcome": OUTCOMES,
    "reason": "of a fallback as `outcome`; of what is shed `full` (no slot, and no place to wait for one), `waited` "
    "(no slot in time), `memory` or `descriptors`; of a rest `throttled` or `refused`; of a caller who was not let in "
    "`no_key`, `wrong_key`, `too_many` wrong ones or `no_permission`",
    "phase": "`before` the answer began, in the `mid` of it, or `slow`: it took nothing for 60 s, and was given up",
    "limit": ("requests", "tokens", "concurrent"),
    "operation": "a row of [the control plane](api.md), as `post /v1/users`",
    "listener": ("callers", "operators"),
    "state": ("open", "idle"),
    "class": ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning"),
    "extent": "`whole`: it was estimated; `part`: details were left out, and their tokens count as the usual kind",
    "scope": ("key", "organization"),
    "fate": "of spans `sent`, `queue_full`, `refused` or `given_up`; of bodies `kept` or `dropped`",
    "version": "the gateway's",
    "python": "the interpreter's",
}
"""Each label's values: a list, or in words whence they come."""
