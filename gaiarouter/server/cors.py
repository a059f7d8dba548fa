"""Browser pages of configured origins may call the gateway; others may not. Added only where there are such origins.

An origin is allowed exactly as it is written, never by a pattern, and never with cookies: a page sends its key itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gaiarouter.server.headers import plain_headers, request_id

_METHODS: Final = "GET, POST, PATCH, DELETE"
_KEPT_S: Final = "600"
_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2048}")
"""What a list of header names is made of: it is sent back as it came."""


def add_cors(app: web.Application, origins: Collection[str]) -> None:
    if not origins:
        return
    allowed = frozenset(origins)

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        asks = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if asks and request.headers.get(hdrs.ORIGIN) in allowed:
            return _permission(request)
        return await handler(request)

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.add(hdrs.VARY, "Origin")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin in allowed:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "*"

    app.middlewares.append(preflight)
    app.on_response_prepare.append(allow)


def _permission(request: web.Request) -> web.Response:
    """The answer to what a browser asks before its request; for whom it is, `allow` adds."""
    made = plain_headers(request_id(request.headers))
    headers = {**made, hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS, hdrs.ACCESS_CONTROL_MAX_AGE: _KEPT_S}
    names = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
    if _NAMES.fullmatch(names):
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = names
    return web.Response(status=204, headers=headers)
