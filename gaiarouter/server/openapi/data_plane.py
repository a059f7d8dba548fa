"""What callers of models may ask, for /openapi.json. Their formats are their vendors' own and documented there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

Described = Mapping[str, Any]

SUMMARIES: Final = {
    "/v1/chat/completions": "Chat Completions",
    "/v1/responses": "Responses",
    "/v1/responses/input_tokens": "Count the tokens of a Responses request",
    "/v1/messages": "Messages",
    "/v1/messages/count_tokens": "Count the tokens of a Messages request",
    "/v1/completions": "Completions",
    "/v1/embeddings": "Embeddings",
    "/v1/moderations": "Moderations",
    "/v1/images/generations": "Images: make one",
    "/v1/images/edits": "Images: change one",
    "/v1/audio/speech": "Speech",
    "/v1/audio/transcriptions": "Transcriptions",
    "/v1/audio/translations": "Translations of speech",
    "/v1/rerank": "Rerank documents by a query",
    "generateContent": "generateContent",
    "streamGenerateContent": "generateContent, streamed",
    "countTokens": "countTokens",
    "embedContent": "embedContent",
    "batchEmbedContents": "batchEmbedContents",
}
"""By path, or by what is asked of a model in a path that names it."""

KEPT_SUMMARIES: Final = {
    ("GET", ""): "A Response that its provider has kept",
    ("DELETE", ""): "Delete a kept Response",
    ("GET", "/input_items"): "What was put into a kept Response",
    ("POST", "/cancel"): "Cancel a Response that is made in the background",
}
"""By method, and what stands behind the id."""

_HELLO: Final = [{"role": "user", "content": "Hello"}]
_SAID: Final = [{"role": "user", "parts": [{"text": "Hello"}]}]
EXAMPLES: Final[Mapping[str, Described]] = {
    "/v1/chat/completions": {"model": "demo", "messages": _HELLO},
    "/v1/responses": {"model": "demo", "input": "Hello"},
    "/v1/responses/input_tokens": {"model": "demo", "input": "Hello"},
    "/v1/messages": {"model": "demo", "max_tokens": 100, "messages": _HELLO},
    "/v1/messages/count_tokens": {"model": "demo", "messages": _HELLO},
    "/v1/completions": {"model": "demo", "prompt": "Hello"},
    "/v1/embeddings": {"model": "demo", "input": ["Hello"]},
    "/v1/moderations": {"model": "demo", "input": "Hello"},
    "/v1/images/generations": {"model": "demo", "prompt": "A harbour at dawn"},
    "/v1/audio/speech": {"model": "demo", "input": "Hello", "voice": "alloy"},
    "/v1/rerank": {"model": "demo", "query": "Hello", "documents": ["Good day", "Farewell"]},
    "generateContent": {"contents": _SAID},
    "streamGenerateContent": {"contents": _SAID},
    "countTokens": {"contents": _SAID},
    "embedContent": {"content": _SAID[0]},
    "batchEmbedContents": {"requests": [{"model": "models/demo", "content": _SAID[0]}]},
}

REFUSALS: Final = {
    400: "A field is wrong or missing.",
    401: "No valid key.",
    403: "The key may not do this.",
    404: "No such model, or no such path.",
    408: "The request did not arrive in time.",
    413: "The body is larger than `server.body_limit`.",
    415: "The body's type or encoding is not accepted.",
    417: "An expectation that is not known.",
    422: "The provider could not process the request.",
    429: "A limit, of this gateway or of the provider.",
    500: "A bug of the gateway's.",
    502: "The provider failed.",
    503: "No healthy target, overload, or the database is away.",
    504: "The provider did not answer in time.",
}
"""See docs/errors.md. A provider's own refusal keeps its status, whatever it is: `default`."""

_ANY_ANSWER: Final[Described] = {
    "application/json": {"schema": {}},
    "text/event-stream": {"schema": {"type": "string"}},
    "audio/*": {"schema": {"type": "string", "format": "binary"}},
    "text/plain": {"schema": {"type": "string"}},
}
_ASKED: Final[Described] = {
    "type": "object",
    "required": ["model"],
    "properties": {"model": {"type": "string", "description": "A name that the routing table knows."}},
}
_MODEL: Final[Described] = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "example": "demo",
}
_WHOSE: Final[Described] = {
    "name": "model",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "Whose answer it is, by a name of the routing table.",
}
_LISTS: Final = (("/v1/models", "id"), ("/v1beta/models", "id"))


def data_plane_paths(
    posts: Iterable[str], forms: Iterable[str], methods: Iterable[str], kept: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """posts: paths that take JSON. forms: those that take a form. methods: what is asked of a model in a path. kept:
    method and path of what is asked for by its id."""
    paths: dict[str, Any] = {}
    for path in posts:
        paths[path] = {"post": _operation(path, "application/json")}
    for path in forms:
        paths[path] = {"post": _operation(path, "multipart/form-data")}
    for method, path in kept:
        paths.setdefault(path, {})[method.lower()] = _of_kept(method, path)
    for base, _ in _LISTS:
        for method in methods:
            operation = _operation(method, "application/json", asked={"type": "object"}, at=base)
            paths[f"{base}/{{model}}:{method}"] = {"post": {**operation, "parameters": [_MODEL]}}
        paths[base] = {"get": _listing("Models that this key may use", base)}
        one = _listing("A model that this key may use", f"{base}/{{id}}")
        paths[f"{base}/{{id}}"] = {"get": {**one, "parameters": [{**_MODEL, "name": "id"}]}}
    return paths


def _of_kept(method: str, path: str) -> dict[str, Any]:
    return {
        "summary": KEPT_SUMMARIES[method, path.partition("}")[2]],
        "description": "Of the provider that made it, for whose organization or key asked for it; 404 for others.",
        "operationId": f"{method.lower()} {path}",
        "tags": ["models"],
        "parameters": [{**_MODEL, "name": "id", "example": "resp_1"}, _WHOSE],
        "responses": {
            "200": {"description": "As the provider answers.", "content": _ANY_ANSWER},
            **refusals(REFUSALS, _ERROR),
            "default": {"description": "The provider's refusal.", "content": {"application/json": {"schema": _ERROR}}},
        },
    }


def refusals(statuses: Mapping[int, str], schema: Described) -> dict[str, Any]:
    return {
        str(status): {"description": why, "content": {"application/json": {"schema": schema}}}
        for status, why in statuses.items()
    }


def _operation(name: str, media_type: str, *, asked: Described = _ASKED, at: str = "") -> dict[str, Any]:
    content: dict[str, Any] = {"schema": asked}
    if name in EXAMPLES:
        content["example"] = EXAMPLES[name]
    return {
        "summary": SUMMARIES[name],
        "operationId": f"post {at}{'/' if at else ''}{name}",
        "tags": ["models"],
        "requestBody": {"required": True, "content": {media_type: content}},
        "responses": {
            "200": {"description": "The model's answer, in the caller's format.", "content": _ANY_ANSWER},
            **refusals(REFUSALS, _ERROR),
            "default": {"description": "The provider's refusal.", "content": {"application/json": {"schema": _ERROR}}},
        },
    }


def _listing(summary: str, path: str) -> dict[str, Any]:
    refused = {status: REFUSALS[status] for status in (400, 401, 403, 404, 429, 500, 503)}
    return {
        "summary": summary,
        "description": "In the shape of the caller's own client, told by its headers.",
        "operationId": f"get {path}",
        "tags": ["models"],
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": {"type": "object"}}}},
            **refusals(refused, _ERROR),
        },
    }


_ERROR: Final[Described] = {
    "type": "object",
    "description": "In the shape of the caller's own format.",
    "required": ["error"],
    "properties": {"error": {"type": "object"}},
}
