"""Writes the settings reference of docs/configuration.md from gaiarouter/config/schema.json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

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


HEAD = "| key | takes | default | example | means |\n| --- | --- | --- | --- | --- |"


def reference() -> str:
    """A part for each section of the file: every key, what it takes, its default, an example, what it means."""
    schema = orjson.loads(schema_text())
    return "\n\n".join(_section(*each, schema["$defs"]) for each in schema["properties"].items())


def _section(name: str, section: Schema, shared: dict[str, Schema]) -> str:
    rows = list(_row(name, section, shared))
    if len(rows) > 1:
        return "\n".join([f"### `{name}`", "", section["description"], "", HEAD, *rows[1:]])
    return "\n".join([f"### `{name}`", "", HEAD, *rows])


def example(schema: Schema) -> Any:
    """Its first example; where the type says all that it may be, a value that is not the default. None: has none."""
    if "examples" in schema:
        return schema["examples"][0]
    choices = schema.get("enum", [True, False] if schema.get("type") == "boolean" else [])
    return next((choice for choice in choices if choice != schema.get("default")), None)


def default(schema: Schema) -> str:
    """Empty for a mapping, which has defaults inside."""
    if schema.get("default") is None:
        return str(schema.get("x-default", ""))
    return f"`{_yaml(schema['default'])}`"


def with_reference(page: str) -> str:
    """`page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _rows(schema: Schema, path: str, shared: dict[str, Schema]) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        words = {}
        if name in schema.get("required", ()):
            words = {"default": None, "x-default": "must be given"}
        elif "x-inherits" in schema:
            words = {"default": None, "x-default": f"`{schema['x-inherits']}.{name}`"}
        yield from _row(f"{path}.{name}", {**_whole(value, shared), **words}, shared)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _row(f"{path}.NAME", _whole(schema["additionalProperties"], shared), shared)


def _row(path: str, schema: Schema, shared: dict[str, Schema]) -> Iterator[str]:
    shown = example(schema)
    cells = [
        f"`{path}`",
        _takes(schema, shared),
        default(schema),
        "" if shown is None else f"`{_yaml(shown)}`",
        schema.get("description", ""),
    ]
    yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
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
    """As a line of YAML, `{a: 1}` and `[a, b]`; a text is quoted where YAML would take it for something else."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
