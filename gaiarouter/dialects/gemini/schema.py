"""JSON schemas as the API takes them. What it would refuse moves into the description.

Newer models take JSON Schema but for some keywords (`json_schema`); older ones a subset of OpenAPI's (`openapi.py`).
Properties are walked by their place, never by their name: one may well be called `type` or `properties`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw

MAX_DEPTH = 64
_NOISE = frozenset({"$schema", "$id", "$comment"})
_SAYS_NOTHING = _NOISE | {"type", "title", "description"}
_REFUSED = frozenset(
    {
        "propertyNames",
        "patternProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "if",
        "then",
        "else",
        "not",
        "dependentRequired",
        "dependentSchemas",
    }
)
NAMED = frozenset({"properties", "$defs", "definitions"})
"""Keywords whose value is nodes by names of the caller's."""
_NODES = frozenset({"items", "additionalProperties", "contains"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})


_MOST_KEPT: Final = 512
_KEPT_BYTES: Final = 8192


class NotExpressible(ValueError):
    """The schema is too deep or too large, or not one."""


def json_schema(schema: Raw) -> tuple[Raw, bool]:
    """The schema without what the API refuses, in its own bytes where nothing had to go; and whether a constraint
    moved into a description. Raises NotExpressible."""
    clean, moved = _cleaned_before(bytes(schema)) if len(schema) <= _KEPT_BYTES else _cleaned(bytes(schema))
    return (schema if clean is None else clean), moved


def _cleaned(schema: bytes) -> tuple[Raw | None, bool]:
    """None where nothing had to go."""
    cleaner = _Cleaner()
    clean = cleaner.node(decoded(schema), 0)
    return (Raw(msgspec.json.encode(clean)) if cleaner.changed else None), cleaner.moved


_cleaned_before = lru_cache(_MOST_KEPT)(_cleaned)
"""An agent offers the same tools with each of its requests."""


def decoded(schema: bytes | Raw) -> Any:
    try:
        return msgspec.json.decode(schema)
    except RecursionError:
        raise NotExpressible("it is nested too deeply") from None


def is_empty(schema: object) -> bool:
    """It asks for nothing: an object without properties, or nothing at all. The API refuses such a schema."""
    if not isinstance(schema, dict):
        return False
    asked = {name for name, value in schema.items() if value not in ({}, [], None, False)}
    return schema.get("type", "object") == "object" and asked <= _SAYS_NOTHING


def described(node: dict[str, Any], constraints: Mapping[str, Any]) -> dict[str, Any]:
    """The node with the constraints told in words."""
    if not constraints:
        return node
    told = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in constraints.items())
    before = node.get("description")
    return node | {"description": f"{before}\n\n{{{told}}}" if isinstance(before, str) and before else f"{{{told}}}"}


class _Cleaner:
    """changed: the result is not what came in. moved: a constraint is only told."""

    def __init__(self) -> None:
        self.changed = False
        self.moved = False

    def node(self, schema: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise NotExpressible(f"it is nested over {MAX_DEPTH} deep")
        if not isinstance(schema, dict):
            return schema
        told = {name: value for name, value in schema.items() if name in _REFUSED}
        kept = {
            name: self._value(name, value, depth + 1)
            for name, value in schema.items()
            if name not in _NOISE and name not in _REFUSED
        }
        self.changed = self.changed or len(kept) < len(schema)
        self.moved = self.moved or bool(told)
        return described(kept, told)

    def _value(self, name: str, value: Any, depth: int) -> Any:
        if name in NAMED and isinstance(value, dict):
            return {key: self.node(node, depth) for key, node in value.items()}
        if name in _NODES:
            return self.node(value, depth)
        if name in _LISTS and isinstance(value, list):
            return [self.node(node, depth) for node in value]
        return value
