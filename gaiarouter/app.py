"""Builds and connects everything, in the order of the data flow, by plain constructor calls. Nothing else does.

How each thing is built stands in assembly/, by how long it lives; here the pieces meet.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from aiohttp import web

from gaiarouter import __version__
from gaiarouter.assembly.control import build_control
from gaiarouter.assembly.formats import Formats
from gaiarouter.assembly.parts import opened
from gaiarouter.assembly.service import build_service
from gaiarouter.config.loader import load_settings
from gaiarouter.config.settings import Settings
from gaiarouter.limits.memory import MemoryLimiter
from gaiarouter.pipeline.admission import Gate
from gaiarouter.providers import known_kinds
from gaiarouter.routing.breaker import Health
from gaiarouter.server.handler import DataPlane, Service
from gaiarouter.server.memory import Memory, container_limit
from gaiarouter.server.ops import Ops
from gaiarouter.server.routes import add_routes
from gaiarouter.server.run import Lifecycle
from gaiarouter.server.watchdog import Watchdog
from gaiarouter.store import open_store
from gaiarouter.telemetry import Metrics
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
        self.health = Health()
        self.store = open_store(settings.store)
        self._gate = Gate(
            slots=settings.server.max_requests,
            waiting=settings.server.max_pending_requests,
            wait_s=settings.server.pending_timeout_s,
            on_shed=self.turned_away,
        )
        self.data_plane = DataPlane(lambda: self._service, self.metrics, self._gate)
        self._workers = workers
        self._migrate = migrate
        self._media_from = media_from
        self._limiter = MemoryLimiter(time.monotonic, share=workers)
        self._formats = Formats()
        self.dialect = self._formats.chat
        self._service: Service
        self.app = self._make_app()

    def _make_app(self) -> web.Application:
        app = web.Application()
        ops = Ops(
            lambda: self._service,
            self.metrics,
            self._formats.dialects,
            self._formats.listings,
            version=__version__,
            why_not_ready=self.life.why_not_ready,
        )
        control = build_control(self.settings, self.store, lambda: self._service, self.dialect, health=self.health)
        add_routes(app, self.data_plane, ops, self._formats.dialects, control)
        app.cleanup_ctx.append(self._run)
        return app

    def turned_away(self, why: str) -> None:
        self.metrics.shed.labels(why).inc()

    def watchdog(self, close_idle: Callable[[], None]) -> Watchdog:
        """For a process that is the gateway's own: of its event loop, and of its memory where that has a limit."""
        limit = self.settings.server.memory_limit or container_limit()
        memory = Memory(limit // self._workers, self._gate, close_idle) if limit else None
        return Watchdog(on_lag=self.metrics.loop_lag.observe, on_beat=memory.look if memory else None)

    async def _run(self, _: web.Application) -> AsyncIterator[None]:
        opening = opened(
            self.settings,
            store=self.store,
            gate=self._gate,
            limiter=self._limiter,
            health=self.health,
            metrics=self.metrics,
            media_from=self._media_from,
            migrate=self._migrate,
        )
        async with opening as parts:
            self._service = build_service(self.settings, parts, self._formats)
            parts.permit(self._service.addresses)
            self.life.ready()
            yield
