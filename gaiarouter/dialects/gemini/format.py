"""An answer in JSON: enforced by the API, but for older models that have functions too, which are told in words."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import Format, JsonSchema
from gaiarouter.dialects.gemini.capabilities import Capabilities
from gaiarouter.dialects.gemini.openapi import openapi_schema
from gaiarouter.dialects.gemini.schema import NotExpressible, decoded, json_schema

_JSON_OBJECT = "Respond with a single JSON object and nothing else."
_JSON_SCHEMA = "Respond with a single JSON value that matches this JSON Schema, and nothing else:\n"


class FormatPlan(Struct, frozen=True, kw_only=True):
    """config: members of `generationConfig`. instruction: one more text of the system's."""

    config: dict[str, Any] = {}
    instruction: str | None = None


NO_FORMAT = FormatPlan()


def plan_format(
    wish: Format | None, model: Capabilities, *, has_functions: bool, path: str, losses: Losses
) -> FormatPlan:
    """Raises InvalidRequest for a schema that cannot be sent."""
    if wish is None or wish == "text":
        return NO_FORMAT
    schema = wish if isinstance(wish, JsonSchema) else None
    if has_functions and not model.format_with_functions:
        losses.adapt(path, "beside functions the model is only told the form of the answer")
        told = _JSON_SCHEMA + bytes(schema.schema).decode() if schema else _JSON_OBJECT
        return FormatPlan(instruction=told)
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    return FormatPlan(config=config | (_schema(schema, model, path, losses) if schema else {}))


def _schema(wish: JsonSchema, model: Capabilities, path: str, losses: Losses) -> dict[str, Any]:
    if wish.strict is False:
        losses.adapt(path, "the provider always enforces the schema")
    try:
        if model.json_schema:
            clean, moved = json_schema(_with_description(wish))
            written: dict[str, Any] = {"responseJsonSchema": clean}
        else:
            found = openapi_schema(decoded(_with_description(wish)))
            moved, written = found.moved or bool(found.choices), {"responseSchema": found.node}
    except NotExpressible as error:
        raise refused(path, f"the provider cannot take this schema: {error}") from None
    if moved:
        losses.adapt(path, "constraints that the provider does not know are told in descriptions")
    return written


def _with_description(wish: JsonSchema) -> Raw:
    schema = decoded(wish.schema)
    if not wish.description or not isinstance(schema, dict):
        return wish.schema
    before = schema.get("description")
    schema["description"] = f"{wish.description}\n\n{before}" if before else wish.description
    return Raw(msgspec.json.encode(schema))
