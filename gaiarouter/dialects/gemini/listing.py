"""Models as Google's clients list them. Implements dialects.base.Listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from gaiarouter.dialects.base import ListedModel
from gaiarouter.errors import InvalidRequest

_DEFAULT_SIZE: Final = 50
_MOST: Final = 1000


def models_body(models: Sequence[ListedModel], query: Mapping[str, str]) -> bytes:
    """One page. query: `pageSize` (50, at most 1000) and `pageToken`."""
    size = min(_MOST, _whole(query, "pageSize") or _DEFAULT_SIZE)
    start = _whole(query, "pageToken")
    body: dict[str, Any] = {"models": [_model(model) for model in models[start : start + size]]}
    if start + size < len(models):
        body["nextPageToken"] = str(start + size)
    return orjson.dumps(body)


def model_body(model: ListedModel) -> bytes:
    return orjson.dumps(_model(model))


def _model(model: ListedModel) -> dict[str, Any]:
    told = {
        "name": f"models/{model.name}",
        "version": "",
        "displayName": model.name,
        "description": "",
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
    return told if model.context_tokens is None else told | {"inputTokenLimit": model.context_tokens}


def _whole(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidRequest(f"`{name}` must be a whole number", param=name)
    return int(text)
