"""Which method and path mean what. Everything else is answered here too, in JSON: 404, and 405 with what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from gaiarouter.dialects.base import Dialect
from gaiarouter.dialects.gemini.array import ArrayFraming
from gaiarouter.errors import NotFound, RequestRefused
from gaiarouter.server.admin.plane import ControlPlane
from gaiarouter.server.handler import DataPlane
from gaiarouter.server.model_paths import ModelPaths
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


def add_routes(
    app: web.Application, data_plane: DataPlane, ops: Ops, dialects: Mapping[str, Dialect], control: ControlPlane
) -> None:
    router = app.router
    for path, name in DATA_PLANE.items():
        router.add_post(path, data_plane.handler(dialects[name]), expect_handler=_expect)
    for path, name in FORMS.items():
        router.add_post(path, data_plane.handler(dialects[name], takes_form=True), expect_handler=_expect)
    methods = {method: dialects[name] for method, name in MODEL_METHODS.items()}
    called = ModelPaths(data_plane, dialects["gemini"], methods, ArrayFraming)
    for path in _LISTS:
        router.add_get(path, ops.models)
        router.add_get(path + "/{id:(?s:.+)}", ops.model)
        router.add_post(path + "/{call:(?s:.+:[^:/]*)}", called.call, expect_handler=_expect)
    router.add_get("/health", ops.health)
    router.add_get("/health/live", ops.live)
    router.add_get("/health/ready", ops.ready)
    router.add_get("/metrics", ops.metrics)
    # how a coding client finds out whether anybody is there
    router.add_head("/api/hello", ops.live)
    control.add_routes(router, expect_handler=_expect)
    unmatched = _Unmatched(dialects, control.methods)
    router.add_route("*", "/{path:(?s:.*)}", unmatched.answer, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """`100 Continue` waits until the caller is known and the length allowed: see body.py."""


class _Unmatched:
    """control_methods: what is allowed at a path of the control plane, in words; None for other paths."""

    def __init__(self, dialects: Mapping[str, Dialect], control_methods: Callable[[str], str | None]) -> None:
        self._dialects = dialects
        self._control_methods = control_methods

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        dialect = self._dialects[spoken_in(request)]
        allowed = _METHODS.get("/" + path) or ("GET, HEAD" if path.startswith(_PREFIXES) else None)
        allowed = allowed or self._control_methods("/" + path)
        if allowed:
            error = RequestRefused(
                f"{_clip(request.method)} is not allowed here; allowed: {allowed}.",
                status=405,
                code="method_not_allowed",
                allow=allowed,
            )
            return error_response(error, dialect, request.headers)
        return error_response(NotFound(_not_found(path)), dialect, request.headers)


_PREFIXES: Final = tuple(path[1:] + "/" for path in _LISTS)
_METHODS: Final = {
    **dict.fromkeys((*DATA_PLANE, *FORMS), "POST"),
    **dict.fromkeys((*_LISTS, "/health", "/health/live", "/health/ready", "/metrics"), "GET, HEAD"),
}


def _not_found(path: str) -> str:
    first, _, rest = path.partition("/")
    if first in ("v1", "v1beta") and rest.startswith(("v1/", "v1beta/")):
        return f"There is no such path: `/{first}` is doubled. Give the client a base URL that does not end in it."
    if f"/v1/{path}" in _METHODS:
        return f"There is no such path. Did you mean `/v1/{path}`? The client's base URL should end in `/v1`."
    return "There is no such path on this gateway."


def _clip(method: str) -> str:
    return method if len(method) <= 16 else method[:16] + "…"
