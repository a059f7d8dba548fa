"""The schemas of keys: the largest resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gaiarouter.server.admin.operation import Schema
from gaiarouter.server.admin.shapes import (
    BUDGET,
    DESCRIPTION,
    ID,
    LIMITS,
    MODELS,
    NAME,
    PAGING,
    SEARCH,
    TIME,
    TIME_OR_NULL,
)

_STATUS: Final = ["active", "disabled", "expired", "revoked"]
_ID_OR_NULL: Final[Schema] = {**ID, "type": ["string", "null"]}

_FIELDS: Final[Mapping[str, Schema]] = {
    "name": NAME,
    "description": DESCRIPTION,
    "owner": {**_ID_OR_NULL, "description": "A user of the key's organization; the key stops with it."},
    "permissions": {
        "type": "array",
        "description": "For the control plane; none to call models only. `write` holds `read`, `admin` both.",
        "maxItems": 3,
        "uniqueItems": True,
        "items": {"type": "string", "enum": ["read", "write", "admin"]},
    },
    "models": MODELS,
    "limits": {**LIMITS, "description": "Null, or a member that is null, is as in the gateway's configuration."},
    "budget": BUDGET,
    "inference": {"type": "boolean", "description": "Whether it may call models.", "default": True},
    "unsupported": {
        "type": ["string", "null"],
        "enum": ["error", None],
        "description": "`error` refuses what a target cannot take exactly; null leaves it to the route.",
    },
    "log_bodies": {
        "type": "boolean",
        "description": "Whether its requests and answers are kept, where `log.bodies` says.",
        "default": False,
    },
    "expires_at": {**TIME_OR_NULL, "description": "Must lie in the future; null is never."},
}
NEW_KEY: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        **_FIELDS,
        "organization": {**_ID_OR_NULL, "description": "Default: that of the key which makes it. It never changes."},
    },
    "examples": [{"name": "ci", "models": ["gpt-*"], "limits": {"requests": "60/min"}, "inference": True}],
}
CHANGED_KEY: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "description": "What is left out stays; null takes a setting away.",
    "properties": {**_FIELDS, "status": {"type": "string", "enum": ["active", "disabled"]}},
    "examples": [{"budget": {"amount_usd": 20, "period": "day"}}],
}
ROTATION: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2_592_000,
            "default": 86_400,
            "description": "How long the old secret goes on working beside the new one. The one before it stops.",
        }
    },
    "examples": [{"overlap_seconds": 3600}],
}
API_KEY: Final[Schema] = {
    "title": "ApiKey",
    "type": "object",
    "required": ["id", "name", "organization", "permissions", "status", "created_at", "updated_at"],
    "properties": {
        **_FIELDS,
        "id": ID,
        "organization": _ID_OR_NULL,
        "status": {"type": "string", "enum": _STATUS},
        "created_at": TIME,
        "updated_at": TIME,
        "revoked_at": TIME_OR_NULL,
        "last_used_at": TIME_OR_NULL,
        "previous_secret_until": {
            **TIME_OR_NULL,
            "description": "Until then the secret before the last rotation works too.",
        },
    },
}
_TEXT: Final[Schema] = {"type": "string", "description": "`sk-gaia-…`: shown here, once."}
MADE_KEY: Final[Schema] = {
    **API_KEY,
    "title": "NewApiKey",
    "required": [*API_KEY["required"], "key"],
    "properties": {**API_KEY["properties"], "key": _TEXT},
}
KEY_QUERY: Final[Mapping[str, Schema]] = {
    **PAGING,
    "organization": ID,
    "owner": ID,
    "status": {"type": "string", "enum": _STATUS, "description": "Without it: all but the revoked."},
    "search": {**SEARCH, "description": "In the name or the id."},
}
