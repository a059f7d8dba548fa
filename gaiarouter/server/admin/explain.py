"""POST /v1/routes/explain: where a request would go now, and of each candidate what speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

import orjson

from gaiarouter.errors import InvalidRequest
from gaiarouter.pipeline.explaining import Question
from gaiarouter.server.admin.operation import Call, Operation, Schema
from gaiarouter.server.admin.plane import nothing_here
from gaiarouter.server.handler import Service
from gaiarouter.store.base import ApiKey

_DIALECTS: Final = ("chat", "messages", "responses", "gemini", "embeddings")
_TEXT: Final[Schema] = {"type": "string"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_BODY: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "description": "A model, or a whole request: then it is also told who could not take it.",
    "properties": {
        "model": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "As a caller sends it."},
        "request": {"type": "object", "description": "A request's body. Nothing of it is kept, logged or sent on."},
        "dialect": {"type": "string", "enum": list(_DIALECTS), "default": "chat", "description": "Of the request."},
        "key": {"type": "string", "minLength": 1, "maxLength": 80, "description": "The id of the key that would call."},
    },
    "examples": [{"model": "gpt-5"}],
}
_REASON: Final[Schema] = {
    "type": "object",
    "required": ["why", "detail"],
    "properties": {
        "why": {"type": "string", "enum": ["off", "access", "issuer", "choice", "capability", "breaker"]},
        "detail": _TEXT,
    },
}
_CANDIDATE: Final[Schema] = {
    "type": "object",
    "required": ["provider", "model", "share_percent", "kept", "reasons", "dropped"],
    "properties": {
        "provider": _TEXT,
        "model": _TEXT,
        "share_percent": {"type": ["number", "null"], "description": "Of its group, of those that are on."},
        "off": _TEXT_OR_NULL,
        "kept": {"type": "boolean"},
        "reasons": {"type": "array", "items": _REASON, "description": "All that speaks against it."},
        "dropped": {"type": "array", "items": _TEXT, "description": "Fields of the request that it cannot take."},
    },
}
_ANSWER: Final[Schema] = {
    "title": "Explanation",
    "type": "object",
    "required": ["model", "place", "groups", "in_the_end", "near"],
    "properties": {
        "model": _TEXT,
        "place": {"type": ["object", "null"], "description": "The route, and the line where it stands."},
        "glob": _TEXT_OR_NULL,
        "groups": {
            "type": "array",
            "items": {"type": "object", "properties": {"targets": {"type": "array", "items": _CANDIDATE}}},
            "description": "The route's own targets, then its fallbacks in order.",
        },
        "bound": {"type": "array", "items": _TEXT, "description": "What binds the request to an issuer."},
        "in_the_end": {**_TEXT, "description": "What the caller gets when nothing is left to try."},
        "near": {"type": "array", "items": _TEXT},
    },
}


class Keys(Protocol):
    async def find_key(self, key_id: str) -> ApiKey | None: ...


class RoutesExplain:
    def __init__(self, service: Callable[[], Service], keys: Keys) -> None:
        self._service = service
        self._keys = keys

    def operations(self) -> Sequence[Operation]:
        summary = "Where a request would go now, and why: every candidate, kept or left out"
        return (
            Operation("POST", "/v1/routes/explain", "read", summary, self._post, _ANSWER, body=_BODY, may_miss=True),
        )

    async def _post(self, call: Call) -> Mapping[str, Any]:
        model, request = call.body.get("model"), call.body.get("request")
        if model is None and request is None:
            raise InvalidRequest("`model` or `request` is missing.", code="missing_field", param="model")
        key = None if "key" not in call.body else await self._key(call, call.body["key"])
        dialect = call.body.get("dialect", "chat")
        question = Question(model, None if request is None else _written(request), dialect, key)
        told = asdict(await self._service().explain(question))
        del told["file"]  # where it stands on the gateway's machine is nobody's business
        return told

    async def _key(self, call: Call, key_id: str) -> ApiKey:
        key = await self._keys.find_key(key_id)
        if key is None or not call.actor.sees(key.organization):
            raise nothing_here("key")
        return key


def _written(request: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(request)
    except orjson.JSONEncodeError as error:
        raise InvalidRequest("`request` is nested too deeply.", code="invalid_json", param="request") from error
