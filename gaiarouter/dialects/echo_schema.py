"""The smallest value that fits a JSON Schema, for the demo model's JSON and its tool calls.

It knows what schemas of tools and structured outputs use: types, enum, const, required, items, lengths and bounds,
anyOf, oneOf, allOf, and `$ref` within the schema.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# a schema may refer to itself, or ask for lists of lists: what a caller writes must not decide how long we write
_MAX_DEPTH = 32
_MAX_VALUES = 1000
_MAX_LENGTH = 64
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example_of(schema: object) -> Any:
    """A value that fits `schema`. Patterns and conditions are not looked at; what is no schema gives null."""
    return _Writer(_mapping(schema)).value(schema, 0)


class _Writer:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._values_left = _MAX_VALUES

    def value(self, schema: object, depth: int) -> Any:
        self._values_left -= 1
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH or self._values_left < 0:
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return self.value(self._resolved(reference), depth + 1)
        if "const" in schema:
            return schema["const"]
        if choices := _items(schema.get("enum")):
            return choices[0]
        if every := _items(schema.get("allOf")):
            return self.value(self._merged(schema, every), depth + 1)
        if some := _items(schema.get("anyOf")) or _items(schema.get("oneOf")):
            return self.value(some[0], depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        match _type(schema):
            case "object":
                properties = _mapping(schema.get("properties"))
                names = [name for name in _items(schema.get("required")) if isinstance(name, str)]
                return {name: self.value(properties.get(name), depth + 1) for name in names}
            case "array":
                count = _count(schema.get("minItems")) or 0
                return [self.value(schema.get("items"), depth + 1) for _ in range(count)]
            case "string":
                text = _FORMATS.get(str(schema.get("format")), "demo".ljust(_count(schema.get("minLength")) or 0, "."))
                return text[: _count(schema.get("maxLength"))]
            case "integer" | "number" as kind:
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case _:
                return None

    def _merged(self, schema: Mapping[str, Any], every: list[Any]) -> dict[str, Any]:
        """All parts of an `allOf` and what stands beside it, as one schema."""
        merged: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        required: list[Any] = []
        for each in ({name: value for name, value in schema.items() if name != "allOf"}, *every):
            reference = _mapping(each).get("$ref")
            part = _mapping(self._resolved(reference) if isinstance(reference, str) else each)
            merged.update(part)
            properties |= _mapping(part.get("properties"))
            required += _items(part.get("required"))
        return merged | ({"properties": properties, "required": required} if properties else {})

    def _resolved(self, reference: str) -> Any:
        """What a `#/a/b` points at, by RFC 6901; None if it points at nothing."""
        value: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            value = _mapping(value).get(step.replace("~1", "/").replace("~0", "~"))
        return value


def _type(schema: Mapping[str, Any]) -> str | None:
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if isinstance(kind, str) and kind != "null":
            return kind
    if kinds is not None:
        return None
    return "object" if "properties" in schema else "array" if "items" in schema else None


def _number(schema: Mapping[str, Any], *, whole: bool) -> float | None:
    """The first of some likely numbers within the bounds; None where no likely one is."""
    lows = [_bound(schema.get(name)) for name in ("minimum", "exclusiveMinimum")]
    highs = [_bound(schema.get(name)) for name in ("maximum", "exclusiveMaximum")]
    above_all = [bound for bound in lows if bound is not None]
    below_all = [bound for bound in highs if bound is not None]
    candidates = [0.0]
    for bound in (*above_all, *below_all):
        candidates += [bound, math.floor(bound) + 1, math.ceil(bound) - 1, math.ceil(bound), math.floor(bound)]
    if above_all and below_all:
        candidates.append((max(above_all) + min(below_all)) / 2)
    for candidate in candidates:
        if _fits(candidate, lows, highs) and (not whole or candidate == int(candidate)):
            return int(candidate) if candidate == int(candidate) else candidate
    return None


def _fits(number: float, lows: list[float | None], highs: list[float | None]) -> bool:
    minimum, above = lows
    maximum, below = highs
    return (
        (minimum is None or number >= minimum)
        and (above is None or number > above)
        and (maximum is None or number <= maximum)
        and (below is None or number < below)
    )


def _bound(value: object) -> float | None:
    """A bound that is no number, or none a float holds exactly, bounds nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return float(value)


def _count(value: object) -> int | None:
    return max(0, min(value, _MAX_LENGTH)) if isinstance(value, int) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
