"""Models as OpenAI's clients list them. Implements dialects.base.Listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gaiarouter.dialects.base import ListedModel


def models_body(models: Sequence[ListedModel], query: Mapping[str, str]) -> bytes:
    """All at once: their list has no pages."""
    return orjson.dumps({"object": "list", "data": [_model(model) for model in models]})


def model_body(model: ListedModel) -> bytes:
    return orjson.dumps(_model(model))


def _model(model: ListedModel) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": 0, "owned_by": model.owner}
