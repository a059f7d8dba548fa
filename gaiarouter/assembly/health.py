"""What becomes of providers, said where operators look: in the log and in the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import structlog

from gaiarouter.routing.breaker import Change
from gaiarouter.telemetry import Metrics

_log = structlog.get_logger("gaiarouter.health")


def told_to(metrics: Metrics) -> Callable[[Change], None]:
    def tell(change: Change) -> None:
        _count(metrics, change)
        _say(change)

    return tell


def _count(metrics: Metrics, change: Change) -> None:
    match change.kind:
        case "opened" | "reopened":
            metrics.breaker_transitions.labels(change.provider, "open").inc()
        case "probed":
            metrics.breaker_transitions.labels(change.provider, "half_open").inc()
        case "closed":
            metrics.breaker_transitions.labels(change.provider, "closed").inc()
        case "refused" | "throttled":
            metrics.rests.labels(change.provider, change.kind).inc()
        case _:
            assert_never(change.kind)


def _say(change: Change) -> None:
    about = {"provider": change.provider, "target": change.target}
    match change.kind:
        case "opened":
            _log.warning("breaker.opened", **about, for_s=change.for_s)
        case "probed":
            _log.debug("breaker.half_open", **about)
        case "reopened":
            _log.info("breaker.reopened", **about, for_s=change.for_s)
        case "closed":
            _log.info("breaker.closed", **about)
        case "refused":
            _log.error("provider.key_refused", **about, key_index=change.key, for_s=change.for_s)
        case "throttled":
            _log.warning("provider.throttled", **about, key_index=change.key, for_s=change.for_s)
        case _:
            assert_never(change.kind)
