"""Writes docs/api.md: the operators' endpoints, from the same values that serve them and /openapi.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gaiarouter.app import Gateway
from gaiarouter.config.settings import Settings
from gaiarouter.server.openapi.document import openapi

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
HEAD = """# The control plane, endpoint by endpoint

Written by `.ci/update_api_page.py` from what serves them; the running gateway tells the same at `/openapi.json`, and
shows it at `/docs`. [Keys](keys.md) says what it all means. `*` marks what must be given.
"""


def page() -> str:
    document = _document()
    parts = [HEAD]
    for tag in document["tags"]:
        found = [
            (method, path, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if operation["tags"][0] == tag["name"]
        ]
        if found and tag["name"] not in ("machines", "models"):
            parts.append(f"## {tag['name']}\n")
            parts.extend(_section(method, path, operation) for method, path, operation in found)
    return "\n".join(parts)


def _document() -> Mapping[str, Any]:
    operations = Gateway(Settings()).control.operations
    return openapi(operations, version="", models={})


def _section(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [f"### {method.upper()} {path}", "", f"{operation['summary']}. {operation['description']}", ""]
    rows = [
        *(_row(each["name"], each["schema"], each.get("required", False)) for each in operation.get("parameters", ())),
        *_body_rows(operation.get("requestBody")),
    ]
    if rows:
        lines += ["| parameter or field | is | |", "| --- | --- | --- |", *rows, ""]
    statuses = ", ".join(operation["responses"])
    return "\n".join([*lines, f"Answers: {statuses}.", ""])


def _body_rows(body: Mapping[str, Any] | None) -> Iterator[str]:
    if body is not None:
        yield from _field_rows(body["content"]["application/json"]["schema"])


def _field_rows(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        yield _row(prefix + name, part, name in schema.get("required", ()))
        yield from _field_rows(part, f"{prefix}{name}.")


def _row(name: str, schema: Mapping[str, Any], required: bool) -> str:
    return f"| `{name}`{' *' if required else ''} | {_kind(schema)} | {_words(schema)} |"


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{'null' if value is None else value}`" for value in schema["enum"])
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    names = [_kind(schema["items"]).join(("list of ", "")) if each == "array" else each for each in types]
    return " or ".join(names)


def _words(schema: Mapping[str, Any]) -> str:
    said = [schema.get("description", ""), schema.get("title", "")]
    if "minimum" in schema and "pattern" not in schema:
        said.append(f"{schema['minimum']} to {schema['maximum']}")
    if "default" in schema:
        said.append(f"default {str(schema['default']).lower()}")
    return "; ".join(each.rstrip(".") for each in said if each).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
