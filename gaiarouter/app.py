"""Builds and connects everything, in the order of the data flow, by plain constructor calls. Nothing else does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from aiohttp import web
from prometheus_client.core import Metric

from gaiarouter import __version__
from gaiarouter.config.loader import load_settings
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Settings
from gaiarouter.dialects.base import Dialect, SpokenByBoth
from gaiarouter.dialects.chat import ChatDialect
from gaiarouter.dialects.chat import listing as chat_listing
from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.counting import CountDialect, CountFormat, counted_in
from gaiarouter.dialects.embeddings import EmbeddingsDialect
from gaiarouter.dialects.gemini import listing as gemini_listing
from gaiarouter.dialects.gemini.caller import GeminiCaller
from gaiarouter.dialects.gemini.counting import GeminiCount
from gaiarouter.dialects.gemini.dialect import GeminiDialect
from gaiarouter.dialects.gemini.embeddings import GeminiEmbeddings
from gaiarouter.dialects.messages import listing as messages_listing
from gaiarouter.dialects.messages.caller import MessagesCaller
from gaiarouter.dialects.messages.counting import MessagesCount
from gaiarouter.dialects.messages.dialect import MessagesDialect
from gaiarouter.dialects.responses.caller import ResponsesCaller
from gaiarouter.dialects.responses.counting import ResponsesCount
from gaiarouter.dialects.responses.dialect import ResponsesDialect
from gaiarouter.ledger.writer import Ledger
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline import STAGES, Auth, Metering, Proxy, RateLimit, Stage, Transform
from gaiarouter.pipeline.conversion import Caller, Converter, by_operation
from gaiarouter.pipeline.counting import CountConverter
from gaiarouter.pipeline.embedding import EmbeddingConverter
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers import known_kinds
from gaiarouter.providers.base import Endpoint, Transport
from gaiarouter.providers.catalogue import Catalogue
from gaiarouter.providers.endpoint import GEMINI_EMBEDDINGS, endpoints
from gaiarouter.providers.targets import targets
from gaiarouter.routing.attempts import Plan
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.grants import Grants
from gaiarouter.routing.listing import list_models
from gaiarouter.routing.table import Table
from gaiarouter.server import logs
from gaiarouter.server.banner import banner
from gaiarouter.server.handler import DataPlane, Service
from gaiarouter.server.ops import Ops
from gaiarouter.server.routes import add_routes
from gaiarouter.server.run import Lifecycle, listen, run
from gaiarouter.server.workers import supervise, worker_of
from gaiarouter.store import open_store
from gaiarouter.store.base import MigrationError, StorageUnavailable
from gaiarouter.store.commands import first_key
from gaiarouter.store.keyring import KeyRing, now_us
from gaiarouter.telemetry import Metrics, breaker_family, gauge_family
from gaiarouter.upstream.base import MediaSource, Upstream
from gaiarouter.upstream.echo import EchoUpstream
from gaiarouter.upstream.http import HttpUpstream
from gaiarouter.upstream.media import MediaLoader
from gaiarouter.upstream.public import is_public

ConfigSource = str | os.PathLike[str] | Mapping[str, Any] | Settings


def create_app(config: ConfigSource) -> web.Application:
    """The gateway as an aiohttp application, to be run or mounted under a prefix of another.

    config: a path, a mapping in the shape of gaiarouter.yaml, or loaded Settings. Raises ConfigError.
    Run it with `handler_cancellation=True`: without it aiohttp does not tell a handler that its caller has gone.
    """
    settings = config if isinstance(config, Settings) else load(config)
    return Gateway(settings).app


def load(config: str | os.PathLike[str] | Mapping[str, Any]) -> Settings:
    return load_settings(config, environ=os.environ, known_kinds=known_kinds())


class Gateway:
    """One gateway: its parts live from the application's start to its clean-up.

    workers: how many processes share the limits. media_from: the IP addresses that callers' pictures and files may be
    loaded from.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int = 1,
        migrate: bool = True,
        media_from: Callable[[str], bool] = is_public,
    ) -> None:
        self.settings = settings
        self.life = Lifecycle()
        self.metrics = Metrics()
        self.dialect = ChatDialect()
        self.store = open_store(settings.store)
        self.data_plane = DataPlane(lambda: self._service, self.metrics)
        self._migrate = migrate
        self._media_from = media_from
        self._limiter = MemoryLimiter(time.monotonic, share=workers)
        self.health = Health()
        self._random = Random()  # noqa: S311  # spreads load, guards nothing
        self._catalogue = Catalogue.load()
        self._callers: dict[str, Caller] = {
            self.dialect.name: ChatCaller(),
            "messages": MessagesCaller(),
            "responses": ResponsesCaller(),
            "gemini": GeminiCaller(),
        }
        spoken: tuple[SpokenByBoth, ...] = (self.dialect, MessagesDialect(), ResponsesDialect(), GeminiDialect())
        self._both = {each.name: each for each in spoken}
        self._counts: dict[str, CountFormat] = {
            "messages": MessagesCount(),
            "responses": ResponsesCount(),
            "gemini": GeminiCount(),
        }
        self._dialects = self._all_dialects()
        self._service: Service
        self.app = self._make_app()

    def _all_dialects(self) -> Mapping[str, Dialect]:
        """By name: those of conversations, and of what else models are asked for."""
        counting = [CountDialect(self._both[name], format_) for name, format_ in self._counts.items()]
        return {**self._both, "embeddings": EmbeddingsDialect(), **{each.name: each for each in counting}}

    def _make_app(self) -> web.Application:
        app = web.Application()
        ops = Ops(
            lambda: self._service,
            self.metrics,
            self._dialects,
            {"chat": chat_listing, "messages": messages_listing, "gemini": gemini_listing},
            version=__version__,
            why_not_ready=self.life.why_not_ready,
        )
        add_routes(app, self.data_plane, ops, self._dialects)
        app.cleanup_ctx.append(self._parts)
        return app

    async def _parts(self, _: web.Application) -> AsyncIterator[None]:
        """Opens what has to be closed again, in the order of the data flow, and closes it in the reverse."""
        settings = self.settings
        await self.store.open(migrate=self._migrate)
        keys = KeyRing(self.store, stale_s=settings.auth.stale_s)
        ledger = Ledger(self.store)
        places = endpoints(settings)
        http = HttpUpstream(on_stale_retry=self.metrics.stale_connections.inc)
        http.permit(e.url for spoken in places.values() for e in spoken.values() if e.transport == "http")
        upstreams: dict[Transport, Upstream] = {"http": http, "echo": EchoUpstream()}
        media = MediaLoader(
            allows=self._media_from, on_end=lambda outcome: self.metrics.media_loads.labels(outcome).inc()
        )
        keys.start()
        ledger.start()
        self._service = self._build_service(keys, ledger, places, upstreams, media)
        self.metrics.add_collector(lambda: self._scraped(ledger))
        self.life.ready()
        try:
            yield
        finally:
            await media.close()
            await http.close()
            await ledger.close()
            await keys.close()
            await self.store.close()

    def _build_service(
        self,
        keys: KeyRing,
        ledger: Ledger,
        places: Mapping[str, Mapping[str, Endpoint]],
        upstreams: Mapping[Transport, Upstream],
        media: MediaSource,
    ) -> Service:
        """What this configuration serves with. A reload would build another beside it."""
        settings, grants = self.settings, Grants()
        table, to_each = Table(settings), targets(settings)
        counts = CountConverter(places, self._counts, self._callers, to_each, media)
        known = {name: self._catalogue.models(provider.kind) for name, provider in settings.providers.items()}
        models = list_models(table, settings, known)
        auth = Auth(keys, required=settings.auth.required)
        stages: dict[type[Stage], Stage] = {
            Auth: auth,
            RateLimit: RateLimit(self._limiter, default=settings.limits),
            Transform: Transform(table, grants.allows),
            Proxy: Proxy(
                convert=by_operation(
                    Converter(places, self._both, self._callers, to_each, media).convert,
                    {
                        "embeddings": EmbeddingConverter(places, {GEMINI_EMBEDDINGS: GeminiEmbeddings()}).convert,
                        **{counted_in(name): counts.convert for name in self._counts},
                    },
                ),
                estimate=counts.estimate,
                upstreams=upstreams,
                plan=self._plan,
                clock=time.monotonic,
            ),
            Metering: Metering(ledger, self.metrics, time.monotonic, models=_label_models(settings, known)),
        }
        return Service(
            settings=settings,
            stages=[stages[stage] for stage in STAGES],
            auth=auth,
            models=models,
            allows=grants.allows,
        )

    def _plan(self, exchange: Exchange) -> Plan:
        assert exchange.match is not None
        return Plan(
            exchange.match,
            providers=self.settings.providers,
            health=self.health,
            rng=self._random,
            now=exchange.received_s,
        )

    def _scraped(self, ledger: Ledger) -> Iterable[Metric]:
        yield breaker_family(self.health.snapshot(time.monotonic()))
        yield gauge_family("gaiarouter_ledger_pending", "Usage records not in the store yet.", ledger.pending)
        yield gauge_family("gaiarouter_ledger_dropped", "Usage records lost for want of room.", ledger.dropped)


def place(store: Secret) -> str:
    """A store's address without what may be secret in it."""
    scheme, _, rest = store.reveal().partition("://")
    return f"{scheme} {rest.rpartition('@')[2].removeprefix('/') if scheme == 'sqlite' else rest.rpartition('@')[2]}"


def _label_models(settings: Settings, known: Mapping[str, Iterable[str]]) -> Iterable[str]:
    """The models that may name themselves in a metric: those that the file or the catalogue spells out."""
    groups = [group for route in settings.routes for group in (route.targets, *route.fallbacks)]
    yield from (target.model for group in groups for target in group.targets if target.model is not None)
    yield from (name for route in settings.routes for name in route.match)
    for models in known.values():
        yield from models


def serve(settings: Settings, *, migrate: bool = True, arguments: Sequence[str] = ()) -> int:
    """Runs the gateway until it is told to stop; the exit code.

    arguments: those of this process, for the workers that it starts when the settings ask for several. 3 is a store
    that cannot be used, 1 an address that cannot be listened on.
    """
    logs.configure()
    worker = worker_of(os.environ)
    try:
        if worker is not None:
            return run(_serve(Gateway(settings, workers=worker[1], migrate=False), shared_port=True))
        first = run(_prepare(settings, migrate=migrate))
        words = banner(settings, version=__version__, store=place(settings.store), first_key=first)
        if settings.server.workers > 1:
            print(words, flush=True)
            return supervise(settings.server.workers, arguments)
        return run(_serve(Gateway(settings, migrate=False), words))
    except (StorageUnavailable, MigrationError) as error:
        print(f"gaiarouter: the store {place(settings.store)} cannot be used: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        server = settings.server
        print(f"gaiarouter: cannot listen on {server.host}:{server.port}: {error.strerror}", file=sys.stderr)
        return 1


async def _prepare(settings: Settings, *, migrate: bool) -> str | None:
    """Brings the store up to date; the text of the first key, if this is the very first start."""
    store = open_store(settings.store)
    await store.open(migrate=migrate)
    try:
        first = await first_key(store, now_us=now_us())
        return first.text if first else None
    finally:
        await store.close()


async def _serve(gateway: Gateway, words: str = "", *, shared_port: bool = False) -> int:
    def say() -> None:
        if words:
            print(words, flush=True)

    await listen(
        gateway.app,
        gateway.settings.server,
        gateway.dialect,
        gateway.data_plane,
        gateway.life,
        shared_port=shared_port,
        started=say,
    )
    return 0
