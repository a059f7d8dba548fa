"""Models as Anthropic's clients list them. Implements dialects.base.Listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from gaiarouter.dialects.base import ListedModel
from gaiarouter.errors import InvalidRequest

_DEFAULT_LIMIT: Final = 20
_MOST: Final = 1000
_UNKNOWN_DATE: Final = "1970-01-01T00:00:00Z"
"""What their own list says of a model whose release date is not known."""


def models_body(models: Sequence[ListedModel], query: Mapping[str, str]) -> bytes:
    """One page. query: `limit` (20, at most 1000), and `after_id` or `before_id`."""
    limit = _limit(query.get("limit"))
    names = [model.name for model in models]
    if "before_id" in query:
        end = _place(names, query["before_id"], "before_id")
        start = max(0, end - limit)
        has_more = start > 0
    else:
        start = _place(names, query["after_id"], "after_id") + 1 if "after_id" in query else 0
        end = min(len(models), start + limit)
        has_more = end < len(models)
    page = models[start:end]
    return orjson.dumps(
        {
            "data": [_model(model) for model in page],
            "has_more": has_more,
            "first_id": page[0].name if page else None,
            "last_id": page[-1].name if page else None,
        }
    )


def model_body(model: ListedModel) -> bytes:
    return orjson.dumps(_model(model))


def _model(model: ListedModel) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": _UNKNOWN_DATE,
        "lifecycle": "active",
        "max_input_tokens": model.context_tokens,
        "max_tokens": None,
        "capabilities": None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= _MOST):
        raise InvalidRequest(f"`limit` must be a whole number from 1 to {_MOST}", param="limit")
    return int(text)


def _place(names: list[str], name: str, param: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise InvalidRequest(f"`{param}` names no model of this list", param=param) from None
