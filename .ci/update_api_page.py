"""Writes docs/api.md: every endpoint, from the same values that serve them and /openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gaiarouter.app import Gateway
from gaiarouter.config.settings import Settings
from gaiarouter.server.openapi.data_plane import data_plane_paths
from gaiarouter.server.openapi.document import openapi
from gaiarouter.server.routes import DATA_PLANE, FORMS, KEPT_PATHS, MODEL_METHODS

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
HEAD = """# API reference: every endpoint

Written by `.ci/update_api_page.py` from what serves them; the running gateway tells the same at `/openapi.json`, and
shows it at `/docs`. `*` marks what must be given.

Bodies and answers of models are in the formats of their vendors, whose own documentation says what stands in them:
[dialects](dialects.md) has what becomes of each field, [endpoints](endpoints.md) what else can be asked for. The
control plane is the gateway's own; [keys](keys.md) says what it all means.

In the examples `$GAIAROUTER_KEY` is a key that may call models, `$GAIAROUTER_ADMIN_KEY` one with the permission
`admin`, and `$ID` the id of the record in question. The test suite runs them. The built-in model `demo` only talks: for
embeddings, moderations, pictures, speech and ranking put the name of a model that does it, or see how
`unsupported_operation` is told.
"""
FORM_FIELDS: Final = {
    "/v1/images/edits": "-F model=gpt-image-1 -F prompt='At night' -F image=@harbour.png",
    "/v1/audio/transcriptions": "-F model=whisper-1 -F file=@speech.mp3",
    "/v1/audio/translations": "-F model=whisper-1 -F file=@speech.mp3",
}
GROUPS: Final = {"models": "Models", "machines": "Machines"}
URL: Final = "http://127.0.0.1:8000"

Described = Mapping[str, Any]


def document() -> Described:
    models = data_plane_paths(DATA_PLANE, FORMS, MODEL_METHODS, KEPT_PATHS)
    return openapi(Gateway(Settings()).control.operations, version="", models=models)


def page() -> str:
    api = document()
    parts = [HEAD, _refusals(api)]
    for tag in api["tags"]:
        found = [each for each in _operations(api) if each[2]["tags"][0] == tag["name"]]
        if found:
            parts.append(f"## {GROUPS.get(tag['name'], tag['name'])}\n\n{tag['description']}.\n")
            parts.extend(_section(method, path, operation) for method, path, operation in found)
    parts.append("## Answers\n\nThe objects that answers hold.\n")
    parts.extend(_component(name, schema) for name, schema in api["components"]["schemas"].items())
    return "\n".join(parts)


def _operations(api: Described) -> Iterator[tuple[str, str, Described]]:
    """Without those at `/v1` that only repeat Gemini's at `/v1beta`."""
    for path, operations in api["paths"].items():
        if path.startswith("/v1/models/{model}:"):
            continue
        for method, operation in operations.items():
            yield method, path, operation


def _refusals(api: Described) -> str:
    """What each status means, for callers and for operators."""
    words: dict[str, tuple[str, str]] = {}
    for _, _, operation in _operations(api):
        place = 0 if operation["tags"][0] == "models" else 1
        for status, answer in operation["responses"].items():
            if status >= "4" and operation["tags"][0] != "machines":
                said = list(words.get(status, ("", "")))
                said[place] = said[place] or answer["description"]
                words[status] = (said[0], said[1])
    rows = [f"| {status} | {callers} | {operators} |" for status, (callers, operators) in sorted(words.items())]
    head = ["## What each refusal means", "", "Each has a code and a message ([errors](errors.md)).", ""]
    return "\n".join([*head, "| status | of models | of the control plane |", "| --- | --- | --- |", *rows, ""])


def _section(method: str, path: str, operation: Described) -> str:
    description = f" {operation['description']}" if "description" in operation else ""
    lines = [f"### {method.upper()} {path}", "", f"{operation['summary']}.{description}", ""]
    if path.startswith("/v1beta/models/{model}:"):
        lines += ["The same is served below `/v1`.", ""]
    rows = [
        *(
            _row(
                each["name"],
                {"description": each.get("description", ""), **each["schema"]},
                each.get("required", False),
            )
            for each in operation.get("parameters", ())
        ),
        *_body_rows(operation.get("requestBody")),
    ]
    if rows:
        lines += ["| parameter or field | is | |", "| --- | --- | --- |", *rows, ""]
    lines += ["```sh", _example(method, path, operation), "```", ""]
    good = [f"{status}{_shown(answer)}" for status, answer in operation["responses"].items() if status < "4"]
    refused = [status for status in operation["responses"] if "4" <= status < "a"]
    more = ", or the provider's own status" if "default" in operation["responses"] else ""
    words = f"Answers {', '.join(good)}." + (f" Refuses with {', '.join(refused)}{more}." if refused else "")
    return "\n".join([*lines, words, ""])


def _shown(answer: Described) -> str:
    """Of which component a good answer is; nothing where it is the provider's."""
    content = answer.get("content", {}).get("application/json", {}).get("schema", {})
    listed = content.get("properties", {}).get("data", {}).get("items", {})
    csv = ", or CSV" if "text/csv" in answer.get("content", {}) else ""
    for schema, words in ((content, " with {}"), (listed, " with a page of {}")):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return words.format(f"[{name}](#{name.lower()})") + csv
    return ""


def _example(method: str, path: str, operation: Described) -> str:
    where = path.replace("{model}", "demo")
    key = "GAIAROUTER_KEY" if operation["tags"][0] == "models" else "GAIAROUTER_ADMIN_KEY"
    if path in ("/v1/models/{id}", "/v1beta/models/{id}"):
        where = where.replace("{id}", "demo")
    parts = ["curl -s"]
    if method not in ("get", "post"):
        parts.append(f"-X {method.upper()}")
    where = f"{URL}{where.replace('{id}', '$ID')}"
    parts.append(f'"{where}"' if "$" in where else where)
    if operation.get("security") != []:
        parts.append(f'-H "authorization: Bearer ${key}"')
    content = operation.get("requestBody", {}).get("content", {})
    if path in FORM_FIELDS:
        parts.append(FORM_FIELDS[path])
    elif content:
        body = content["application/json"]
        shown = body["example"] if "example" in body else body["schema"]["examples"][0]
        parts.append(f"-H 'content-type: application/json' \\\n    -d '{json.dumps(shown)}'")
    elif method == "post":
        parts.insert(1, "-X POST")
    return " ".join(parts)


def _component(name: str, schema: Described) -> str:
    rows = list(_field_rows(schema))
    return "\n".join([f"### {name}", "", "| field | is | |", "| --- | --- | --- |", *rows, ""])


def _body_rows(body: Described | None) -> Iterator[str]:
    if body is not None and "application/json" in body["content"]:
        yield from _field_rows(body["content"]["application/json"]["schema"])


def _field_rows(schema: Described, prefix: str = "") -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        yield _row(prefix + name, part, name in schema.get("required", ()))
        yield from _field_rows(part, f"{prefix}{name}.")
        yield from _field_rows(part.get("items", {}), f"{prefix}{name}[].")


def _row(name: str, schema: Described, required: bool) -> str:
    return f"| `{name}`{' *' if required else ''} | {_kind(schema)} | {_words(schema)} |"


def _kind(schema: Described) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{'null' if value is None else value}`" for value in schema["enum"])
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    names = [f"list of {_kind(schema['items'])}" if each == "array" else each for each in types]
    return " or ".join(names)


def _words(schema: Described) -> str:
    said = [schema.get("description", ""), schema.get("title", "")]
    if "minimum" in schema and "maximum" in schema and "pattern" not in schema:
        said.append(f"{schema['minimum']} to {schema['maximum']}")
    if "default" in schema:
        said.append(f"default {str(schema['default']).lower()}")
    return "; ".join(each.rstrip(".") for each in said if each).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
