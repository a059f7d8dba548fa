"""JSON schemas that the API can enforce, made from those it cannot: what is beyond it moves into the description.

The subset is the one that Anthropic documents for structured outputs and strict tools.
"""

from __future__ import annotations

from typing import Any

import msgspec

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_PRIMITIVE = (str, int, float, bool, type(None))
_MAX_DEPTH = 64


class NotEnforceable(ValueError):
    """A node says nothing about its type, or is not what a schema is made of."""


def enforceable(schema: object) -> tuple[Any, bool]:
    """The schema within the subset, and whether constraints had to move into descriptions. Raises NotEnforceable."""
    cleaner = _Cleaner()
    return cleaner.node(schema), cleaner.moved


class _Cleaner:
    def __init__(self) -> None:
        self.moved = False
        self._depth = 0

    def node(self, schema: object) -> dict[str, Any]:
        if not isinstance(schema, dict):
            raise NotEnforceable("a schema must be an object")
        if self._depth > _MAX_DEPTH:
            raise NotEnforceable(f"it is nested over {_MAX_DEPTH} deep")
        self._depth += 1
        written = self._written(dict(schema))
        self._depth -= 1
        return written

    def _written(self, rest: dict[str, Any]) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for name in ("$defs", "definitions"):
            if isinstance(definitions := rest.pop(name, None), dict):
                clean[name] = {key: self.node(value) for key, value in definitions.items()}
        if "$ref" in rest:
            return clean | {"$ref": rest["$ref"]}
        kind = self._kind(rest, clean)
        for name in ("description", "title"):
            if (text := rest.pop(name, None)) is not None:
                clean[name] = text
        kinds = kind if isinstance(kind, list) else [kind]
        if "object" in kinds:
            self._object(rest, clean)
        if "array" in kinds:
            self._array(rest, clean)
        if "string" in kinds and isinstance(rest.get("format"), str) and rest["format"] in _FORMATS:
            clean["format"] = rest.pop("format")
        self._describe(rest, clean)
        return clean

    def _kind(self, rest: dict[str, Any], clean: dict[str, Any]) -> object:
        """The type, if it is the type that says what the node is; moves what says so."""
        kind = rest.pop("type", None)
        variants: dict[str, Any] = {name: rest.pop(name) for name in ("anyOf", "oneOf", "allOf") if name in rest}
        enum = rest.get("enum")
        if isinstance(enum, list) and enum and all(isinstance(value, _PRIMITIVE) for value in enum):
            clean["enum"] = rest.pop("enum")
        if "const" in rest and isinstance(rest["const"], _PRIMITIVE):
            clean["const"] = rest.pop("const")
        if variants:
            name, nodes = variants.popitem()
            if not isinstance(nodes, list):
                raise NotEnforceable(f"`{name}` must be a list")
            clean["allOf" if name == "allOf" else "anyOf"] = [self.node(node) for node in nodes]
            rest |= variants
            return None
        if "enum" in clean or "const" in clean:
            return None
        if kind is None:
            raise NotEnforceable("a node has neither a type nor a list of values or variants")
        clean["type"] = kind
        return kind

    def _object(self, rest: dict[str, Any], clean: dict[str, Any]) -> None:
        properties = rest.pop("properties", None) or {}
        if not isinstance(properties, dict):
            raise NotEnforceable("`properties` must be an object")
        clean["properties"] = {name: self.node(node) for name, node in properties.items()}
        rest.pop("additionalProperties", None)
        clean["additionalProperties"] = False
        if (required := rest.pop("required", None)) is not None:
            clean["required"] = required

    def _array(self, rest: dict[str, Any], clean: dict[str, Any]) -> None:
        if (items := rest.pop("items", None)) is not None:
            clean["items"] = self.node(items)
        if rest.get("minItems") in (0, 1):
            clean["minItems"] = rest.pop("minItems")

    def _describe(self, rest: dict[str, Any], clean: dict[str, Any]) -> None:
        if not rest:
            return
        self.moved = True
        told = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in rest.items())
        before = f"{clean['description']}\n\n" if clean.get("description") else ""
        clean["description"] = f"{before}{{{told}}}"
