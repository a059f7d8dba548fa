"""Serves the document and the page that shows it: files of the package's own, which may load nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from importlib import resources
from typing import Any, Final

import orjson
from aiohttp import web

from gaiarouter.server.headers import plain_headers, request_id

_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class Documentation:
    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        """make: the document, when it is first asked for: few processes ever are."""
        self._make = make
        folder = resources.files("gaiarouter.server.openapi").joinpath("page")
        self._files = {name: folder.joinpath(name).read_bytes() for name in _TYPES}

    @cached_property
    def _document(self) -> bytes:
        return orjson.dumps(self._make())

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/openapi.json", self.document)
        router.add_get("/docs", partial(self._page, "index.html"))
        for name in ("page.css", "page.js"):
            router.add_get(f"/docs/{name}", partial(self._page, name))

    async def document(self, request: web.Request) -> web.Response:
        return _answer(request, self._document, "application/json", {})

    async def _page(self, name: str, request: web.Request) -> web.Response:
        return _answer(request, self._files[name], _TYPES[name], _PAGE_HEADERS)


def _answer(request: web.Request, body: bytes, kind: str, more: Mapping[str, str]) -> web.Response:
    return web.Response(body=body, headers={**plain_headers(request_id(request.headers)), **more, "Content-Type": kind})
