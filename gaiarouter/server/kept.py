"""Addresses of what providers have kept: `/v1/responses/{id}`, and what stands under that."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aiohttp import web

from gaiarouter.dialects.base import Dialect, Envelope
from gaiarouter.server.handler import DataPlane, Handler

_ROOT: Final = "/v1/responses/{id}"
KEPT_PATHS: Final = (
    ("GET", _ROOT),
    ("DELETE", _ROOT),
    ("GET", f"{_ROOT}/input_items"),
    ("POST", f"{_ROOT}/cancel"),
)
"""Methods and paths."""
_HANDLE: Final = "{id:(?!input_tokens$|compact$)[^/]+}"


class KeptPaths:
    def __init__(self, data_plane: DataPlane, dialect: Dialect) -> None:
        self._data_plane = data_plane
        self._dialect = dialect

    def add(self, router: web.UrlDispatcher) -> None:
        for method, path in KEPT_PATHS:
            handler = self._handler(path.removeprefix(_ROOT))
            router.add_route(method, path.replace("{id}", _HANDLE), handler)

    def _handler(self, under: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            # a handle that holds more than a name must not lead anywhere else
            path = quote(request.match_info["id"], safe="") + under
            query = f"?{request.query_string}" if request.query_string else ""
            envelope = Envelope(headers=request.headers, method=request.method, path=path + query)
            return await self._data_plane.serve(request, dialect=self._dialect, envelope=envelope)

        return handle
