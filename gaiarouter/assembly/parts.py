"""What lives as long as the process, whatever becomes of the configuration: a reload changes nothing here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import token_bytes
from typing import Protocol

import structlog

from gaiarouter.assembly.control import pepper_of
from gaiarouter.assembly.gauges import look_at_bodies, look_at_parts
from gaiarouter.config.changes import changed_providers
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import BodyLog, Settings, Traces
from gaiarouter.dialects.kept.handles import SECRET_BYTES, Handles
from gaiarouter.ledger.writer import Ledger, Spool, ledger_of
from gaiarouter.limits.base import Limiter
from gaiarouter.limits.budgets import Budgets
from gaiarouter.limits.grace import LastKnown
from gaiarouter.limits.guesses import Guesses
from gaiarouter.limits.joint import SharedLimits
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline.admission import Gate
from gaiarouter.pipeline.aside import Aside, Beside
from gaiarouter.pipeline.auth import Door, Refusal
from gaiarouter.pipeline.auth import KeyRing as Keys
from gaiarouter.pipeline.booking import Books
from gaiarouter.pipeline.booking import Budgets as Reserving
from gaiarouter.pipeline.metering import Ledger as Metered
from gaiarouter.pipeline.tracing import Spans
from gaiarouter.providers.base import Transport
from gaiarouter.providers.catalogue import Catalogue
from gaiarouter.routing.breaker import Health
from gaiarouter.server.bodies import BodyFile
from gaiarouter.store import ledger_folder
from gaiarouter.store.base import StorageUnavailable, Store
from gaiarouter.store.keyring import KeyRing, now_us
from gaiarouter.store.refusals import Refusals
from gaiarouter.telemetry import Metrics
from gaiarouter.upstream.aiohttp_client.client import AiohttpUpstream
from gaiarouter.upstream.base import MediaSource, Upstream
from gaiarouter.upstream.clients import CLIENTS
from gaiarouter.upstream.echo import EchoUpstream
from gaiarouter.upstream.http1.client import Http1Upstream
from gaiarouter.upstream.media import MediaLoader

_log = structlog.get_logger("gaiarouter.store")


class Records(Books, Metered, Protocol):
    """Where requests are written down, when they begin and when they have ended."""


@dataclass(frozen=True, slots=True)
class Parts:
    """upstreams: by transport. rng: spreads load, guards nothing. permit: lets requests go to these addresses and to
    no others. handles: of kept answers; None where nobody is really asked. clock: monotonic seconds. adopt: tells the
    parts which settings went and which came in their place."""

    gate: Gate
    keys: Keys
    limiter: Limiter
    shared: SharedLimits | None
    guesses: Guesses
    ledger: Records
    budgets: Reserving
    health: Health
    metrics: Metrics
    upstreams: Mapping[Transport, Upstream]
    media: MediaSource
    permit: Callable[[Iterable[str]], None]
    adopt: Callable[[Settings, Settings], None]
    aside: Beside
    bodies: BodyFile | None = None
    catalogue: Catalogue = field(default_factory=Catalogue.load)
    rng: Random = field(default_factory=Random)
    clock: Callable[[], float] = time.monotonic
    spans: Spans | None = None
    handles: Handles | None = None
    note_refused: Callable[[Refusal, Door, str], None] = lambda why, door, who: None


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    store: Store,
    gate: Gate,
    limiter: Limiter,
    health: Health,
    metrics: Metrics,
    media_from: Callable[[str], bool],
    migrate: bool,
) -> AsyncIterator[Parts]:
    """Opens what has to be closed again, in the order of the data flow, and closes it in the reverse."""
    await store.open(migrate=migrate)
    keys, refusals, aside = _keys(settings, store), _refusals(store), Aside()
    ledger, http = _ledger(settings, store, metrics), _http(settings, metrics)
    media = MediaLoader(allows=media_from, on_end=lambda outcome: metrics.media_loads.labels(outcome).inc())
    look_at_parts(metrics, gate, health, keys, store, http)
    shared = None if settings.redis is None else _shared(settings.redis, limiter, metrics)
    spans = None if settings.traces is None else _spans(settings.traces, metrics)
    bodies = None if settings.log.bodies is None else _bodies(settings.log.bodies, metrics)
    async with _closing(aside, bodies, spans, shared, media, http, ledger, keys, refusals, store, metrics):
        yield Parts(
            gate=gate,
            keys=keys,
            limiter=limiter if shared is None else MemoryLimiter(time.monotonic),
            shared=shared,
            guesses=Guesses(time.monotonic),
            note_refused=refusals.note,
            ledger=ledger,
            budgets=_budgets(settings, store, metrics, keys),
            health=health,
            metrics=metrics,
            upstreams={"http": http, "echo": EchoUpstream()},
            media=media,
            aside=aside,
            spans=spans,
            bodies=bodies,
            handles=Handles(await store.secret("handles", token_bytes(SECRET_BYTES), now_us=now_us())),
            permit=http.permit,
            adopt=lambda before, now: _adopt(before, now, health, keys),
        )


def _keys(settings: Settings, store: Store) -> KeyRing:
    keys = KeyRing(store, stale_s=settings.auth.stale_s, pepper=pepper_of(settings), on_storage_away=_tell_of_store)
    keys.start()
    return keys


def _refusals(store: Store) -> Refusals:
    refusals = Refusals(store)
    refusals.start()
    return refusals


def _bodies(settings: BodyLog, metrics: Metrics) -> BodyFile:
    try:
        bodies = BodyFile(settings)
    except OSError as error:
        raise StorageUnavailable(f"log.bodies: {settings.path} cannot be written: {error.strerror}") from error
    look_at_bodies(metrics, bodies)
    return bodies


def _http(settings: Settings, metrics: Metrics) -> Http1Upstream | AiohttpUpstream:
    make = CLIENTS[settings.upstream.client]
    return make(on_stale_retry=metrics.stale_connections.inc, on_connect=metrics.upstream_connects.inc)


def _shared(url: Secret, share: Limiter, metrics: Metrics) -> SharedLimits:
    """share: of this process, for when Redis is away."""
    from gaiarouter.store.redis import RedisScripts  # a third of a second, which most starts need not wait for

    return SharedLimits(RedisScripts(url), share, metrics, time.monotonic)


def _tell_of_store(why_away: str | None) -> None:
    if why_away is None:
        _log.info("store.back")
    else:
        _log.error("store.away", reason=why_away)


class _Closable(Protocol):
    async def close(self) -> None: ...


class _Sent(Spans, _Closable, Protocol):
    """Spans on their way to somebody."""


def _spans(settings: Traces, metrics: Metrics) -> _Sent:
    from gaiarouter.upstream.traces.sender import Sender  # an extra, which most have not
    from gaiarouter.upstream.traces.spans import OpenTelemetry

    sender = Sender(settings, lambda fate, count: metrics.spans.labels(fate).inc(count))
    return OpenTelemetry(settings, sender, sender.close)


@asynccontextmanager
async def _closing(*parts: _Closable | None) -> AsyncIterator[None]:
    """In this order, at the end."""
    try:
        yield
    finally:
        for part in parts:
            if part is not None:
                await part.close()


def _adopt(before: Settings, now: Settings, health: Health, keys: KeyRing) -> None:
    """What was learned of providers that changed is forgotten; all else is kept."""
    for name in changed_providers(before, now):
        health.forget(name)
    keys.keep_known_for(now.auth.stale_s)


def _budgets(settings: Settings, store: Store, metrics: Metrics, keys: KeyRing) -> Budgets:
    last = LastKnown(time.monotonic, grace_s=settings.ledger.budget_grace_s, share=settings.server.workers)
    return Budgets(store, metrics, now_us, is_away=lambda: keys.storage_away, last=last)


def _ledger(settings: Settings, store: Store, metrics: Metrics) -> Ledger:
    given = settings.ledger
    folder = Path(given.path) if given.path is not None else ledger_folder(settings.store)
    spool = Spool(bytes=given.spool // settings.server.workers, drops=given.on_full == "drop")
    ledger = ledger_of(store, folder, spool, metrics, given.keep_s)
    ledger.start()
    return ledger
