"""Which method and path mean what. Everything else is answered here too, in JSON: 404, and 405 with what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from gaiarouter.dialects.base import Dialect
from gaiarouter.dialects.gemini.array import ArrayFraming
from gaiarouter.dialects.kept.request import KEPT
from gaiarouter.errors import NotFound, RequestRefused
from gaiarouter.server.admin.plane import ControlPlane
from gaiarouter.server.handler import DataPlane
from gaiarouter.server.kept import KEPT_PATHS, KeptPaths
from gaiarouter.server.model_paths import ModelPaths
from gaiarouter.server.openapi.data_plane import data_plane_paths
from gaiarouter.server.openapi.document import openapi
from gaiarouter.server.openapi.handlers import Documentation
from gaiarouter.server.ops import Ops
from gaiarouter.server.reply import error_response
from gaiarouter.server.speech import spoken_in

DATA_PLANE: Final = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/responses/input_tokens": "responses.count_tokens",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "messages.count_tokens",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/moderations": "moderations",
    "/v1/images/generations": "images",
    "/v1/audio/speech": "speech",
    "/v1/rerank": "rerank",
}
"""POST paths that models answer, and the dialect spoken there."""
FORMS: Final = {
    "/v1/images/edits": "images.edits",
    "/v1/audio/transcriptions": "transcriptions",
    "/v1/audio/translations": "transcriptions.translations",
}
"""Those that take a form."""
MODEL_METHODS: Final = {
    "generateContent": "gemini",
    "streamGenerateContent": "gemini",
    "countTokens": "gemini.count_tokens",
    "embedContent": "gemini.embedding",
    "batchEmbedContents": "gemini.embeddings",
}
"""What is asked of models in paths that name them, and the dialect spoken there."""
_LISTS: Final = ("/v1/models", "/v1beta/models")


class Routes:
    """What an application can be given. One has all of it, or callers have one and operators another."""

    def __init__(
        self, data_plane: DataPlane, ops: Ops, dialects: Mapping[str, Dialect], control: ControlPlane, *, version: str
    ) -> None:
        self._data_plane = data_plane
        self._ops = ops
        self._dialects = dialects
        self._control = control
        self._version = version

    def add(self, router: web.UrlDispatcher, *, callers: bool, operators: bool) -> None:
        """callers: models are served here. operators: the control plane and metrics are."""
        if callers:
            self._add_models(router)
        if operators:
            self._control.add_routes(router, expect_handler=_expect)
            router.add_get("/metrics", self._ops.metrics)
        for path, health in [("", self._ops.health), ("/live", self._ops.live), ("/ready", self._ops.ready)]:
            router.add_get("/health" + path, health)
        # how a coding client finds out whether anybody is there
        router.add_head("/api/hello", self._ops.live)
        Documentation(partial(self._document, callers=callers, operators=operators)).add_routes(router)
        unmatched = _Unmatched(self._dialects).answer
        router.add_route("*", "/{path:(?s:.*)}", unmatched, expect_handler=_expect)

    def _document(self, *, callers: bool, operators: bool) -> Mapping[str, Any]:
        return openapi(
            self._control.operations if operators else (),
            version=self._version,
            models=data_plane_paths(DATA_PLANE, FORMS, MODEL_METHODS, KEPT_PATHS) if callers else {},
        )

    def _add_models(self, router: web.UrlDispatcher) -> None:
        for path, name in DATA_PLANE.items():
            router.add_post(path, self._data_plane.handler(self._dialects[name]), expect_handler=_expect)
        for path, name in FORMS.items():
            handler = self._data_plane.handler(self._dialects[name], takes_form=True)
            router.add_post(path, handler, expect_handler=_expect)
        KeptPaths(self._data_plane, self._dialects[KEPT]).add(router)
        methods = {method: self._dialects[name] for method, name in MODEL_METHODS.items()}
        called = ModelPaths(self._data_plane, self._dialects["gemini"], methods, ArrayFraming)
        for path in _LISTS:
            router.add_get(path, self._ops.models)
            router.add_get(path + "/{id:(?s:.+)}", self._ops.model)
            router.add_post(path + "/{call:(?s:.+:[^:/]*)}", called.call, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """`100 Continue` waits until the caller is known and the length allowed: see body.py."""


class _Unmatched:
    def __init__(self, dialects: Mapping[str, Dialect]) -> None:
        self._dialects = dialects

    async def answer(self, request: web.Request) -> web.StreamResponse:
        dialect = self._dialects[spoken_in(request)]
        if allowed := await _allowed(request):
            error = RequestRefused(
                f"{_clip(request.method)} is not allowed here; allowed: {allowed}.",
                status=405,
                code="method_not_allowed",
                allow=allowed,
            )
            return error_response(error, dialect, request.headers)
        return error_response(NotFound(_not_found(request.match_info["path"])), dialect, request.headers)


async def _allowed(request: web.Request) -> str:
    """The methods that the path has, if not this one."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        allowed |= (await resource.resolve(request))[1]
    return ", ".join(sorted(allowed - {"*"}))


def _not_found(path: str) -> str:
    first, _, rest = path.partition("/")
    if first in ("v1", "v1beta") and rest.startswith(("v1/", "v1beta/")):
        return f"There is no such path: `/{first}` is doubled. Give the client a base URL that does not end in it."
    if f"/v1/{path}" in (*DATA_PLANE, *FORMS, *_LISTS):
        return f"There is no such path. Did you mean `/v1/{path}`? The client's base URL should end in `/v1`."
    return "There is no such path on this gateway: `GET /openapi.json` lists those that there are."


def _clip(method: str) -> str:
    return method if len(method) <= 16 else method[:16] + "…"
