"""Which method and path mean what. Everything else is answered here too, in JSON: 404, and 405 with what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import NotFound, RequestRefused
from gaiarouter.server.handler import DataPlane
from gaiarouter.server.ops import Ops
from gaiarouter.server.reply import error_response

DATA_PLANE: Final = {"/v1/chat/completions": "chat"}
"""POST paths that models answer, and the dialect spoken there."""


def add_routes(app: web.Application, data_plane: DataPlane, ops: Ops, dialects: Mapping[str, Dialect]) -> None:
    router = app.router
    for path, dialect in DATA_PLANE.items():
        router.add_post(path, data_plane.handler(dialects[dialect]), expect_handler=_expect)
    router.add_get("/v1/models", ops.models)
    router.add_get("/v1/models/{id:(?s:.+)}", ops.model)
    router.add_get("/health", ops.health)
    router.add_get("/health/live", ops.live)
    router.add_get("/health/ready", ops.ready)
    router.add_get("/metrics", ops.metrics)
    router.add_route("*", "/{path:(?s:.*)}", _Unmatched(dialects["chat"]).answer, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """`100 Continue` waits until the caller is known and the length allowed: see body.py."""


class _Unmatched:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        allowed = _METHODS.get("/" + path) or ("GET, HEAD" if path.startswith("v1/models/") else None)
        if allowed:
            error = RequestRefused(
                f"{_clip(request.method)} is not allowed here; allowed: {allowed}.",
                status=405,
                code="method_not_allowed",
                allow=allowed,
            )
            return error_response(error, self._dialect, request.headers)
        return error_response(NotFound(_not_found(path)), self._dialect, request.headers)


_METHODS: Final = {
    **dict.fromkeys(DATA_PLANE, "POST"),
    **dict.fromkeys(("/v1/models", "/health", "/health/live", "/health/ready", "/metrics"), "GET, HEAD"),
}


def _not_found(path: str) -> str:
    if path.startswith("v1/v1/"):
        return "There is no such path: `/v1` is doubled. Give the client a base URL that does not already end in it."
    if f"/v1/{path}" in _METHODS:
        return f"There is no such path. Did you mean `/v1/{path}`? The client's base URL should end in `/v1`."
    return "There is no such path on this gateway."


def _clip(method: str) -> str:
    return method if len(method) <= 16 else method[:16] + "…"
