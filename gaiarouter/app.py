"""Builds and connects everything, in the order of the data flow, by plain constructor calls. Nothing else does.

How each thing is built stands in assembly/, by how long it lives; here the pieces meet.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web

from gaiarouter import __version__
from gaiarouter.assembly.control import build_control
from gaiarouter.assembly.formats import Formats
from gaiarouter.assembly.gauges import look_at_listener
from gaiarouter.assembly.health import told_to
from gaiarouter.assembly.parts import Parts, opened
from gaiarouter.assembly.reload import Reloads
from gaiarouter.assembly.service import build_service
from gaiarouter.assembly.serving import Serving
from gaiarouter.config.loader import load as load_file
from gaiarouter.config.loader import load_settings, settings_of
from gaiarouter.config.settings import Settings
from gaiarouter.config.source import ConfigFile
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline.admission import Gate
from gaiarouter.providers import known_kinds
from gaiarouter.routing.breaker import Health
from gaiarouter.server.admin.log_level import LogLevelOperations
from gaiarouter.server.admin.plane import ControlPlane
from gaiarouter.server.admin.reload import ConfigReload, Reloaded
from gaiarouter.server.cors import add_cors
from gaiarouter.server.handler import DataPlane, Service
from gaiarouter.server.log_level import LevelInForce
from gaiarouter.server.memory import Memory, container_limit
from gaiarouter.server.ops import Ops
from gaiarouter.server.protocol import Listener
from gaiarouter.server.routes import Routes
from gaiarouter.server.run import Lifecycle
from gaiarouter.server.watchdog import Watchdog
from gaiarouter.store import open_store
from gaiarouter.telemetry import Metrics
from gaiarouter.upstream.public import is_public

ConfigSource = str | os.PathLike[str] | Mapping[str, Any] | Settings


def create_app(config: ConfigSource) -> web.Application:
    """The gateway as an aiohttp application, to be run or mounted under a prefix of another.

    config: a path, a mapping in the shape of gaiarouter.yaml, or loaded Settings. Raises ConfigError.
    A file is watched: a change of it takes effect without a restart.
    Run it with `handler_cancellation=True`: without it aiohttp does not tell a handler that its caller has gone.
    """
    if isinstance(config, Settings | Mapping):
        return Gateway(config if isinstance(config, Settings) else load(config)).app
    source = ConfigFile(config, partial(load_file, environ=os.environ, known_kinds=known_kinds()))
    return Gateway(settings_of(source.load()), source=source).app


def load(config: str | os.PathLike[str] | Mapping[str, Any]) -> Settings:
    return load_settings(config, environ=os.environ, known_kinds=known_kinds())


class Gateway:
    """One gateway: its parts live from the application's start to its clean-up.

    source: the file that the settings come from, to be watched and read again. workers: how many processes share the
    limits. media_from: the IP addresses that callers' pictures and files may be loaded from. on_reload: called after
    each reload that an administrator asked this process for. level: of the log, where that is the gateway's own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        source: ConfigFile | None = None,
        workers: int = 1,
        migrate: bool = True,
        media_from: Callable[[str], bool] = is_public,
        on_reload: Callable[[], None] = lambda: None,
        level: LevelInForce | None = None,
    ) -> None:
        self.life = Lifecycle()
        self.metrics = Metrics()
        self.health = Health(told_to(self.metrics))
        self.store = open_store(settings.store)
        self._gate = Gate(
            slots=settings.server.max_requests,
            waiting=settings.server.max_pending_requests,
            wait_s=settings.server.pending_timeout_s,
            on_shed=self.turned_away,
        )
        self.data_plane = DataPlane(lambda: self._serving.service, self.metrics, self._gate)
        self._first = settings
        self._source = source
        self._workers = workers
        self._migrate = migrate
        self._media_from = media_from
        self._on_reload = on_reload
        self._level = level
        self._limiter = MemoryLimiter(time.monotonic, share=workers)
        self._formats = Formats()
        self.dialect = self._formats.chat
        self._serving: Serving
        self._parts: Parts
        self._reloads: Reloads | None = None
        self.control = self._make_control()
        self.app, self.operators = self._make_apps()

    def _make_control(self) -> ControlPlane:
        return build_control(
            self._first,
            self.store,
            lambda: self._serving.service,
            self.dialect,
            health=self.health,
            reload=ConfigReload(self._reload if self._source else None),
            log_level=LogLevelOperations(self._level),
            metrics=self.metrics,
        )

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._serving.service.settings

    def ask_for_reload(self) -> None:
        """For SIGHUP. Without a file there is nothing to do."""
        if self._reloads is not None:
            self._reloads.ask()

    def _make_apps(self) -> tuple[web.Application, web.Application | None]:
        """Of callers, and of operators where those have an address of their own; else the first is for all."""
        server, dialects = self._first.server, self._formats.dialects
        ops = Ops(
            lambda: self._serving.service,
            self.metrics,
            dialects,
            self._formats.listings,
            version=__version__,
            why_not_ready=self.life.why_not_ready,
        )
        routes = Routes(self.data_plane, ops, dialects, self.control, version=__version__)
        app, operators = web.Application(), None
        routes.add(app.router, callers=True, operators=server.admin_listen is None)
        add_cors(app, server.cors_origins)
        app.cleanup_ctx.append(self._run)
        if server.admin_listen is not None:
            operators = web.Application()
            routes.add(operators.router, callers=False, operators=True)
            add_cors(operators, server.cors_origins)
        return app, operators

    def turned_away(self, why: str) -> None:
        self.metrics.shed.labels(why).inc()

    def watchdog(self, listener: Listener, aside: Listener | None) -> Watchdog:
        """For a process that is the gateway's own: of its event loop, and of its memory where that has a limit.

        listener: of callers. aside: of operators, where they have one of their own.
        """
        look_at_listener(self.metrics, "callers", listener)
        if aside is not None:
            look_at_listener(self.metrics, "operators", aside)
        limit = self._first.server.memory_limit or container_limit()
        looks = [] if self._level is None else [self._level.look]
        if limit:
            looks.append(Memory(limit // self._workers, self._gate, listener.close_idle).look)
        return Watchdog(on_lag=self.metrics.beat, on_beat=looks)

    async def _run(self, _: web.Application) -> AsyncIterator[None]:
        opening = opened(
            self._first,
            store=self.store,
            gate=self._gate,
            limiter=self._limiter,
            health=self.health,
            metrics=self.metrics,
            media_from=self._media_from,
            migrate=self._migrate,
        )
        async with opening as parts:
            self._parts = parts
            build = partial(build_service, parts=parts, formats=self._formats)
            self._serving = Serving(build(self._first), parts, self.data_plane)
            async with self._watching(build):
                self.life.ready()
                yield
            await self._serving.close()

    @asynccontextmanager
    async def _watching(self, build: Callable[[Settings], Service]) -> AsyncIterator[None]:
        if self._source is None:
            yield
            return
        self._reloads = Reloads(
            self._source,
            running=lambda: self.settings,
            build=build,
            swap=self._swap,
            metrics=self.metrics.reloads,
        )
        watch = asyncio.create_task(self._reloads.watch(), name="configuration")
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.wait([watch])

    def _swap(self, service: Service) -> None:
        self._serving.swap(service)
        if self._level is not None:
            self._level.configure(service.settings.log.level)

    async def _reload(self) -> Reloaded:
        assert self._reloads is not None
        outcome = await self._reloads.reload("request")
        self._on_reload()
        return outcome
