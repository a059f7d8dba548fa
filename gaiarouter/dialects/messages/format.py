"""An answer in JSON: by the API's own means where the model has them, else by a tool it must call, else by asking."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import Format, JsonSchema
from gaiarouter.dialects.messages.blocks import Block
from gaiarouter.dialects.messages.capabilities import Capabilities
from gaiarouter.dialects.messages.schema import NotEnforceable, enforceable

_JSON_OBJECT = "Respond with a single JSON object and nothing else."
_JSON_SCHEMA = "Respond with a single JSON value that matches this JSON Schema, and nothing else:\n"


class FormatPlan(Struct, frozen=True, kw_only=True):
    """format: `output_config.format`. tool: the caller never sees it, its arguments are the answer. instructions: more
    of the system prompt."""

    format: dict[str, Any] | None = None
    tool: Block | None = None
    instructions: tuple[Block, ...] = ()


NO_FORMAT = FormatPlan()


def plan_format(
    wish: Format | None, model: Capabilities, *, hidden_tool: str, may_force: bool, path: str, losses: Losses
) -> FormatPlan:
    """hidden_tool: a name that none of the caller's tools has. Raises InvalidRequest for a schema without types."""
    if wish is None or wish == "text":
        return NO_FORMAT
    if not isinstance(wish, JsonSchema):
        losses.adapt(path, "the model is told to answer in JSON; the provider does not enforce it")
        return _told(_JSON_OBJECT)
    schema = _schema(wish, path, losses)
    if model.structured_outputs:
        return FormatPlan(format={"type": "json_schema", "schema": schema})
    if may_force and schema.get("type") == "object":
        losses.adapt(path, "the model is made to call a tool whose arguments are the answer")
        return FormatPlan(tool=Block({"name": hidden_tool, "input_schema": schema}, path))
    losses.adapt(path, "the model is told the schema; the provider does not enforce it")
    return _told(_JSON_SCHEMA + msgspec.json.encode(schema).decode())


def _schema(wish: JsonSchema, path: str, losses: Losses) -> dict[str, Any]:
    try:
        schema, moved = enforceable(msgspec.json.decode(wish.schema))
    except NotEnforceable as error:
        raise refused(path, f"the provider cannot enforce this schema: {error}") from None
    if wish.strict is False:
        losses.adapt(path, "the provider always enforces the schema")
    if moved:
        losses.adapt(path, "constraints that cannot be enforced are told in descriptions")
    if wish.description:
        before = schema.get("description")
        schema["description"] = f"{wish.description}\n\n{before}" if before else wish.description
    found: dict[str, Any] = schema
    return found


def _told(text: str) -> FormatPlan:
    return FormatPlan(instructions=(Block({"type": "text", "text": text}, "system"),))
