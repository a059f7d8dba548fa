"""For machines: health, metrics, and which models there are. Nothing here calls a model."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import orjson
from aiohttp import web

from gaiarouter.dialects.base import Dialect, ListedModel, Listing
from gaiarouter.errors import GatewayError, NotFound
from gaiarouter.server.credentials import credentials
from gaiarouter.server.handler import Service
from gaiarouter.server.headers import plain_headers, request_id
from gaiarouter.server.reply import error_response
from gaiarouter.server.source import source_of
from gaiarouter.server.speech import spoken_in
from gaiarouter.telemetry import Metrics

_LITTLE_EFFORT: Final = 1
"""Packs a scrape to a tenth in a millisecond."""
_VARY: Final = "Accept, Accept-Encoding"


class Ops:
    """dialects, listings: by the name that `spoken_in` gives. why_not_ready: None when requests are welcome, else why
    they are not (starting, draining)."""

    def __init__(
        self,
        service: Callable[[], Service],
        metrics: Metrics,
        dialects: Mapping[str, Dialect],
        listings: Mapping[str, Listing],
        *,
        version: str,
        why_not_ready: Callable[[], str | None],
    ) -> None:
        self._service = service
        self._metrics = metrics
        self._dialects = dialects
        self._listings = listings
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
        self._metrics.look()
        is_packed = "gzip" in request.headers.get("Accept-Encoding", "")
        text, media_type = await asyncio.to_thread(self._scrape, request.headers.get("Accept", ""), is_packed)
        headers = plain_headers(request_id(request.headers)) | {"Content-Type": media_type, "Vary": _VARY}
        return web.Response(body=text, headers=headers | ({"Content-Encoding": "gzip"} if is_packed else {}))

    def _scrape(self, accept: str, is_packed: bool) -> tuple[bytes, str]:
        text, media_type = self._metrics.render(accept)
        return gzip.compress(text, _LITTLE_EFFORT) if is_packed else text, media_type

    async def models(self, request: web.Request) -> web.Response:
        spoken = spoken_in(request)
        try:
            models = await self._usable(request)
            body = self._listings[spoken].models_body(models, request.query)
        except GatewayError as error:
            return error_response(error, self._dialects[spoken], request.headers)
        return _answer(request, body)

    async def model(self, request: web.Request) -> web.Response:
        spoken, name = spoken_in(request), request.match_info["id"]
        try:
            model = next((model for model in await self._usable(request) if model.name == name), None)
            if model is None:
                message = "There is no such model here. `GET /v1/models` lists those that this key may use."
                raise NotFound(message, code="model_not_found", param="model")
        except GatewayError as error:
            return error_response(error, self._dialects[spoken], request.headers)
        return _answer(request, self._listings[spoken].model_body(model))

    async def _usable(self, request: web.Request) -> Sequence[ListedModel]:
        """What this key may use."""
        service = self._service()
        key = await service.auth.identify(
            credentials(request.headers, from_query=request.query.get("key", "")),
            partial(source_of, request, service.settings.server),
        )
        grants = key.grants if key else ()
        return [model for model in service.models if all(service.allows(globs, model.name) for globs in grants)]


def _json(request: web.Request, value: object, *, status: int = 200) -> web.Response:
    return _answer(request, orjson.dumps(value), status=status)


def _answer(request: web.Request, body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=body,
        headers=plain_headers(request_id(request.headers)),
        content_type="application/json",
    )
