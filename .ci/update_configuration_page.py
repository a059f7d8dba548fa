"""Writes the settings reference of docs/configuration.md from gaiarouter/config/schema.json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from gaiarouter.config.structure import schema_text

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin (written by .ci/update_configuration_page.py) -->", "<!-- settings: end -->"

_WORDS = {
    "null": "null",
    "string": "text",
    "integer": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
}

Schema = dict[str, Any]


def reference() -> str:
    """One table: every key by its path, what it takes, its default, what it means."""
    schema = orjson.loads(schema_text())
    rows = ["| key | takes | default | means |", "| --- | --- | --- | --- |"]
    return "\n".join([*rows, *_rows(schema, "", schema["$defs"])])


def with_reference(page: str) -> str:
    """`page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _rows(schema: Schema, path: str, shared: dict[str, Schema]) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        yield from _row(f"{path}.{name}" if path else name, _whole(value, shared), shared)
    if isinstance(schema.get("additionalProperties"), dict) and path:
        yield from _row(f"{path}.NAME", _whole(schema["additionalProperties"], shared), shared)


def _row(path: str, schema: Schema, shared: dict[str, Schema]) -> Iterator[str]:
    default = f"`{_yaml(schema['default'])}`" if "default" in schema else ""
    description = schema.get("description", "").replace("|", "\\|")
    yield f"| `{path}` | {_takes(schema, shared)} | {default} | {description} |"
    yield from _rows(schema, path, shared)
    if "items" in schema:
        yield from _rows(_whole(schema["items"], shared), f"{path}[]", shared)


def _whole(schema: Schema, shared: dict[str, Schema]) -> Schema:
    """The schema with what it refers to; its own words win."""
    return {**shared[schema["$ref"].rpartition("/")[2]], **schema} if "$ref" in schema else schema


def _takes(schema: Schema, shared: dict[str, Schema]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{'null' if value is None else value}`" for value in schema["enum"])
    if "title" in schema:
        return str(schema["title"])
    if schema.get("type") == "array" and "items" in schema:
        return f"list: {_takes(_whole(schema['items'], shared), shared)}"
    types = schema.get("type", [])
    words = " or ".join(_WORDS[name] for name in ([types] if isinstance(types, str) else types))
    return f"{words}, {schema['minimum']} to {schema['maximum']}" if "maximum" in schema else words


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
