"""For machines: health, metrics, and which models there are. Nothing here calls a model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import orjson
from aiohttp import web

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import GatewayError, NotFound
from gaiarouter.server.credentials import credentials
from gaiarouter.server.handler import Service
from gaiarouter.server.headers import plain_headers, request_id
from gaiarouter.server.reply import error_response
from gaiarouter.telemetry import METRICS_CONTENT_TYPE, Metrics


class Ops:
    """is_ready: None when requests are welcome, else why they are not (starting, draining)."""

    def __init__(
        self,
        service: Callable[[], Service],
        metrics: Metrics,
        dialect: Dialect,
        *,
        version: str,
        why_not_ready: Callable[[], str | None],
    ) -> None:
        self._service = service
        self._metrics = metrics
        self._dialect = dialect
        self._version = version
        self._why_not_ready = why_not_ready
        self._started_s = time.monotonic()

    async def health(self, request: web.Request) -> web.Response:
        return _json(
            request,
            {
                "status": self._why_not_ready() or "ok",
                "version": self._version,
                "config": self._service().settings.fingerprint,
                "uptime_s": round(time.monotonic() - self._started_s, 1),
            },
        )

    async def live(self, request: web.Request) -> web.Response:
        return _json(request, {"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        reason = self._why_not_ready()
        return _json(request, {"status": reason or "ok"}, status=503 if reason else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        # a scrape of thousands of series takes tens of milliseconds: not on the loop
        text = await asyncio.to_thread(self._metrics.render)
        return web.Response(
            body=text, headers=plain_headers(request_id(request.headers)) | {"Content-Type": METRICS_CONTENT_TYPE}
        )

    async def models(self, request: web.Request) -> web.Response:
        try:
            names = await self._usable(request)
        except GatewayError as error:
            return error_response(error, self._dialect, request.headers)
        return _json(request, {"object": "list", "data": [_model(name, owner) for name, owner in names.items()]})

    async def model(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        try:
            owner = (await self._usable(request)).get(name)
            if owner is None:
                raise NotFound("There is no such model here.", code="model_not_found", param="model")
        except GatewayError as error:
            return error_response(error, self._dialect, request.headers)
        return _json(request, _model(name, owner))

    async def _usable(self, request: web.Request) -> dict[str, str]:
        service = self._service()
        key = await service.auth.identify(credentials(request.headers))
        globs = key.models if key else None
        return {name: owner for name, owner in service.models if globs is None or service.allows(globs, name)}


def _model(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _json(request: web.Request, value: object, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(value),
        headers=plain_headers(request_id(request.headers)),
        content_type="application/json",
    )
