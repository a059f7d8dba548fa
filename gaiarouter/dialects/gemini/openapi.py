"""JSON Schema as the subset of OpenAPI's that older models take (`Schema` in Google's documentation)."""

from __future__ import annotations

from typing import Any

import msgspec

from gaiarouter.dialects.gemini.plan import Choices
from gaiarouter.dialects.gemini.schema import MAX_DEPTH, NotExpressible, described

MAX_NODES = 5000
"""Of a schema whose references are written out; it may be exponentially larger than the one that refers."""
_KEPT = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "enum", "items", "properties", "required"),
        *("propertyOrdering", "anyOf", "minItems", "maxItems", "minLength", "maxLength", "minProperties"),
        *("maxProperties", "minimum", "maximum", "pattern", "default", "example"),
    }
)
_FORMATS = {
    "string": frozenset({"enum", "date-time"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
_SILENT = frozenset({"$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "additionalProperties", "strict"})
_HINTS = (
    ("properties", "object"),
    ("items", "array"),
    ("minItems", "array"),
    ("minimum", "number"),
    ("maximum", "number"),
)


class OpenApi(msgspec.Struct, frozen=True):
    """node: the schema. choices: values that had to become text. moved: something is only told, or not even that."""

    node: dict[str, Any]
    choices: tuple[Choices, ...]
    moved: bool


def openapi_schema(schema: object) -> OpenApi:
    """Raises NotExpressible for what is too large or too deep."""
    writer = _Writer(schema)
    node = writer.node(schema, (), ())
    return OpenApi(node, tuple(writer.choices), writer.moved)


class _Writer:
    def __init__(self, root: object) -> None:
        self._root = root
        self._nodes = 0
        self._depth = 0
        self.choices: list[Choices] = []
        self.moved = False

    def node(self, schema: object, path: tuple[str, ...], within: tuple[str, ...]) -> dict[str, Any]:
        """path: as of Choices. within: the references that led here."""
        self._nodes += 1
        if self._nodes > MAX_NODES or self._depth > MAX_DEPTH:
            raise NotExpressible("it is too large or too deep")
        if not isinstance(schema, dict):
            return {"type": "string"}
        self._depth += 1
        if isinstance(reference := schema.get("$ref"), str):
            written = self._referred(reference, schema, path, within)
        else:
            written = self._written(schema, path, within)
        self._depth -= 1
        return written

    def _written(self, schema: dict[str, Any], path: tuple[str, ...], within: tuple[str, ...]) -> dict[str, Any]:
        rest = {name: value for name, value in schema.items() if name not in _SILENT}
        rest = self._merged(rest)
        nullable = rest.pop("nullable", None) is True
        nullable = self._type(rest) or nullable
        nullable = self._variants(rest, path, within) or nullable
        nullable = self._enum(rest, path) or nullable
        self._inner(rest, path, within)
        told = {name: value for name, value in rest.items() if name not in _KEPT}
        if "format" in rest and str(rest["format"]) not in _FORMATS.get(str(rest.get("type")), ()):
            told["format"] = rest.pop("format")
        self.moved = self.moved or bool(told)
        kept = {name: value for name, value in rest.items() if name in _KEPT}
        return described(kept, told) | ({"nullable": True} if nullable else {})

    def _referred(
        self, reference: str, schema: dict[str, Any], path: tuple[str, ...], within: tuple[str, ...]
    ) -> dict[str, Any]:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        found = None if reference in within else self._resolve(reference)
        if found is None:
            self.moved = True
            return self.node({"type": "object", **beside}, path, within)
        return self.node({**found, **beside}, path, (*within, reference))

    def _resolve(self, reference: str) -> dict[str, Any] | None:
        """None for what lies outside the schema."""
        if not reference.startswith("#"):
            return None
        found: Any = self._root
        for step in reference.removeprefix("#").removeprefix("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) and name else found
        return found if isinstance(found, dict) and found is not self._root else None

    def _merged(self, rest: dict[str, Any]) -> dict[str, Any]:
        """`allOf` as one node: their properties and required names together, of anything else the first."""
        parts = rest.pop("allOf", None)
        for part in parts if isinstance(parts, list) else ():
            found = part
            if isinstance(part, dict) and isinstance(reference := part.get("$ref"), str):
                found = self._resolve(reference) or {}
            for name, value in found.items() if isinstance(found, dict) else ():
                if name == "properties" and isinstance(value, dict):
                    own = rest.get(name)
                    rest[name] = {**value, **(own if isinstance(own, dict) else {})}
                elif name == "required":
                    rest[name] = list(dict.fromkeys([*_names(rest.get(name)), *_names(value)]))
                elif name not in _SILENT:
                    rest.setdefault(name, value)
        return rest

    def _type(self, rest: dict[str, Any]) -> bool:
        """One type; several become variants. Whether null is one of them."""
        kind = rest.get("type")
        if isinstance(kind, list):
            kinds = [each for each in kind if each != "null"]
            del rest["type"]
            if len(kinds) == 1:
                rest["type"] = kinds[0]
            elif not {"enum", "const"} & rest.keys():
                rest["anyOf"] = [{"type": each} for each in kinds]
            return len(kinds) < len(kind)
        if kind == "null":
            del rest["type"]
        is_told = "const" in rest or any(isinstance(rest.get(name), list) for name in ("anyOf", "oneOf", "enum"))
        if "type" not in rest and not is_told:
            rest["type"] = next((hint for name, hint in _HINTS if name in rest), "string")
        return kind == "null"

    def _variants(self, rest: dict[str, Any], path: tuple[str, ...], within: tuple[str, ...]) -> bool:
        variants = [*_nodes(rest.pop("anyOf", None)), *_nodes(rest.pop("oneOf", None))]
        if not variants:
            return False
        kinds = [each for each in variants if not (isinstance(each, dict) and each.get("type") == "null")]
        written = [self.node(each, path, within) for each in kinds]
        if len(written) == 1:
            for name, value in written[0].items():
                rest.setdefault(name, value)
            return len(kinds) < len(variants) or written[0].get("nullable") is True
        rest["anyOf"] = written
        return len(kinds) < len(variants)

    def _enum(self, rest: dict[str, Any], path: tuple[str, ...]) -> bool:
        if "const" in rest:
            rest["enum"] = [rest.pop("const")]
        listed = rest.get("enum")
        if not isinstance(listed, list):
            return False
        values = [value for value in listed if value is not None]
        if any(not isinstance(value, str) for value in values):
            self.choices.append(Choices(path, tuple(values)))
            rest["format"] = "enum"
        rest["type"] = "string"
        rest["enum"] = [choice_text(value) for value in values]
        return len(values) < len(listed)

    def _inner(self, rest: dict[str, Any], path: tuple[str, ...], within: tuple[str, ...]) -> None:
        properties, required = rest.pop("properties", None), rest.pop("required", None)
        if isinstance(properties, dict):
            rest["properties"] = {name: self.node(node, (*path, name), within) for name, node in properties.items()}
            if isinstance(required, list):
                rest["required"] = [name for name in _names(required) if name in properties]
        if isinstance(ordered := rest.pop("prefixItems", None), list):
            rest.setdefault("items", {"anyOf": ordered} if ordered else {})
            self.moved = True
        if rest.get("type") == "array":
            rest.setdefault("items", {"type": "string"})
        if "items" in rest:
            rest["items"] = self.node(rest["items"], (*path, "*"), within)


def choice_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _nodes(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
