"""What is looked at when somebody looks: gauges of parts that know their state and tell nobody."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable
from typing import Protocol

from prometheus_client import Gauge

from gaiarouter.pipeline.admission import Gate
from gaiarouter.routing.breaker import Health
from gaiarouter.server.bodies import BodyFile
from gaiarouter.server.memory import resident_bytes
from gaiarouter.server.protocol import Listener
from gaiarouter.server.sink import Sink
from gaiarouter.store.base import Store
from gaiarouter.store.keyring import KeyRing
from gaiarouter.telemetry import Metrics
from gaiarouter.telemetry.metrics import resting_counts, worst_levels


class _Pool(Protocol):
    """What keeps connections."""

    @property
    def connections(self) -> tuple[int, int]:
        """Open ones, and of those idle ones."""
        ...


def look_at_parts(metrics: Metrics, gate: Gate, health: Health, keys: KeyRing, store: Store, http: _Pool) -> None:
    metrics.slots.set(gate.slots)
    metrics.on_look(lambda: metrics.pending.set(gate.waiting))
    metrics.on_look(lambda: _health(metrics, health))
    metrics.on_look(lambda: metrics.storage_away.set(keys.storage_away))
    metrics.on_look(lambda: _connections(metrics, store, http))


def look_at_process(metrics: Metrics, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
    metrics.on_look(_following(lambda: sink.dropped, metrics.log_dropped.inc))
    metrics.on_look(lambda: metrics.loop_tasks.set(len(asyncio.all_tasks(loop))))
    metrics.on_look(lambda: metrics.memory.set(resident_bytes()))
    metrics.on_look(lambda: _descriptors(metrics))


def look_at_bodies(metrics: Metrics, bodies: BodyFile) -> None:
    for fate, read in (("kept", lambda: bodies.kept), ("dropped", lambda: bodies.lost)):
        metrics.on_look(_following(read, metrics.log_bodies.labels(fate).inc))


def look_at_listener(metrics: Metrics, name: str, listener: Listener) -> None:
    """name: a value of the label `listener`."""
    metrics.on_look(lambda: metrics.connections.labels(name).set(listener.open_connections))


def _health(metrics: Metrics, health: Health) -> None:
    now = time.monotonic()
    targets = health.snapshot(now)
    metrics.breaker_state.set_all(worst_levels(targets))
    metrics.resting.set_all(resting_counts(targets, [key.provider for key in health.resting_keys(now)]))


def _connections(metrics: Metrics, store: Store, http: _Pool) -> None:
    pools: tuple[tuple[Gauge, _Pool], ...] = (
        (metrics.upstream_connections, http),
        (metrics.store_connections, store),
    )
    for gauge, pool in pools:
        for state, count in zip(("open", "idle"), pool.connections, strict=True):
            gauge.labels(state).set(count)


def _descriptors(metrics: Metrics) -> None:
    metrics.descriptors_limit.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    try:
        metrics.descriptors.set(len(os.listdir("/proc/self/fd")) - 1)  # but the one that reads them
    except OSError:
        return  # no /proc here


def _following(read: Callable[[], int], add: Callable[[float], None]) -> Callable[[], None]:
    """What counts elsewhere, told on."""
    told = 0

    def look() -> None:
        nonlocal told
        now = read()
        add(now - told)
        told = now

    return look
