"""The subset of OpenAPI's schemas that this format has, as JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.canonical.losses import refused
from gaiarouter.dialects.gemini.form import camel
from gaiarouter.dialects.gemini.schema import MAX_DEPTH

_TYPES = {
    "STRING": "string",
    "NUMBER": "number",
    "INTEGER": "integer",
    "BOOLEAN": "boolean",
    "ARRAY": "array",
    "OBJECT": "object",
    "NULL": "null",
}
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_LEFT_OUT = frozenset({"propertyOrdering", "nullable"})
_RENAMED = {"defs": "$defs", "ref": "$ref", "example": "examples"}


def json_schema_of(raw: Raw, path: str) -> Raw:
    """Raises InvalidRequest for what is no schema."""
    return Raw(msgspec.json.encode(_node(msgspec.json.decode(raw), path, 0)))


def _node(schema: Any, path: str, depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        raise refused(path, "must be a schema, not too deep", code="invalid_value")
    written: dict[str, Any] = {}
    for spelt, value in schema.items():
        name = camel(spelt)
        if value is None or name in _LEFT_OUT:
            continue
        written[_RENAMED.get(name, name)] = _value(name, value, path, depth)
    order, properties = schema.get("propertyOrdering", schema.get("property_ordering")), written.get("properties")
    if isinstance(order, list) and isinstance(properties, dict):
        written["properties"] = _in_order(properties, order)
    return _with_null(written) if schema.get("nullable") else written


def _in_order(properties: dict[str, Any], order: list[Any]) -> dict[str, Any]:
    """Elsewhere the order of properties is the one in which they are written."""
    first = {name: properties[name] for name in order if isinstance(name, str) and name in properties}
    return first | properties


def _value(name: str, value: Any, path: str, depth: int) -> Any:
    match name:
        case "type" if isinstance(value, str):
            return _TYPES.get(value.upper(), value)
        case "properties" | "defs" if isinstance(value, dict):
            return {each: _node(node, path, depth + 1) for each, node in value.items()}
        case "items":
            return _node(value, path, depth + 1)
        case "additionalProperties" if isinstance(value, dict):
            return _node(value, path, depth + 1)
        case "anyOf" if isinstance(value, list):
            return [_node(node, path, depth + 1) for node in value]
        case "example":
            return [value]
        case _ if name in _COUNTS and isinstance(value, str) and value.isdecimal():
            return int(value)  # a 64-bit integer may be spelt as a string
        case _:
            return value


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema
