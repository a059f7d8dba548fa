"""The OpenAPI document, whole: callers', operators' and machines' endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gaiarouter.server.admin.operation import Operation, Schema
from gaiarouter.server.openapi.data_plane import refusals

_TAGS: Final = {
    "models": "For callers of models",
    "organizations": "For operators: tenants",
    "users": "For operators: who owns keys",
    "api-keys": "For operators and tenants: keys",
    "machines": "For machines: health, metrics and this document",
}
_WORDS: Final = {
    400: "A field is wrong; the message names every one, `error.details` lists them.",
    401: "No valid key.",
    403: "The key's permissions do not allow it.",
    404: "No such record, or none that this key may see.",
    408: "The request did not arrive in time.",
    409: "A name or address is taken, or the record is deleted or revoked.",
    413: "The body is larger than 64 KiB.",
    415: "The body is no JSON by its type.",
    417: "An expectation that is not known.",
    429: "Too many wrong keys came from this address.",
    500: "A bug of the gateway's.",
    503: "The database is not answering.",
}
_ERROR: Final[Schema] = {
    "title": "Error",
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The first of the wrong fields."},
                "code": {"type": ["string", "null"]},
                "details": {
                    "type": "array",
                    "description": "Every wrong field.",
                    "items": {
                        "type": "object",
                        "required": ["param", "message"],
                        "properties": {"param": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
            },
        },
        "request_id": {"type": "string"},
    },
}
_STATUS: Final[Schema] = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}


def openapi(
    operations: Sequence[Operation],
    *,
    version: str,
    models: Mapping[str, Any],
) -> Mapping[str, Any]:
    """operations, models: what is served at this address; models as data_plane_paths gives them."""
    components: dict[str, Any] = {}
    paths = {**models, **_machines(metrics=bool(operations))}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "GaiaRouter",
            "version": version,
            "description": "One address in front of every language model. Bodies and answers of models are in the "
            "formats of their vendors; this document says what else there is, and what the gateway itself answers.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": what} for name, what in _tags(operations).items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`sk-gaia-…`"}},
        },
        "security": [{"key": []}],
    }


def _described(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "description": f"Needs the permission `{operation.permission}`.",
        "operationId": operation.id,
        "tags": [_tag(operation)],
        "parameters": _parameters(operation),
        "responses": {
            str(operation.status): {
                "description": "Done.",
                "content": {kind: _content(kind, operation, components) for kind in operation.content_types},
            },
            **refusals({status: _WORDS[status] for status in _refused(operation)}, _hoisted(_ERROR, components)),
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_is_required,
            "content": {"application/json": {"schema": operation.body}},
        }
    return described


def _content(kind: str, operation: Operation, components: dict[str, Any]) -> Schema:
    return {"schema": _hoisted(operation.answer, components) if kind == "application/json" else {"type": "string"}}


def _refused(operation: Operation) -> list[int]:
    statuses = {400, 401, 403, 429, 500, 503}
    if "{" in operation.path or operation.may_miss:
        statuses.add(404)
    if operation.body is not None:
        statuses |= {408, 413, 415, 417}
    if operation.may_conflict:
        statuses.add(409)
    return sorted(statuses)


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    steps = [step[1:-1] for step in operation.path.split("/") if step.startswith("{")]
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in steps
    ]
    in_query = [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()]
    return [*in_path, *in_query]


def _hoisted(schema: Schema, components: dict[str, Any]) -> Schema:
    """A reference where the schema is an object with a title, which is then one of the components; else as it is."""
    if schema.get("type") == "array" and "items" in schema:
        return {**schema, "items": _hoisted(schema["items"], components)}
    if schema.get("type") != "object":
        return schema
    properties = {name: _hoisted(part, components) for name, part in schema.get("properties", {}).items()}
    whole = {**schema, "properties": properties}
    if "title" not in schema:
        return whole
    components[schema["title"]] = whole
    return {"$ref": f"#/components/schemas/{schema['title']}"}


def _tag(operation: Operation) -> str:
    return operation.path.split("/")[2]


def _tags(operations: Sequence[Operation]) -> dict[str, str]:
    others = {_tag(operation): "For operators" for operation in operations if _tag(operation) not in _TAGS}
    return {**_TAGS, **others}


def _machines(*, metrics: bool) -> dict[str, Any]:
    def get(summary: str, answers: Mapping[int, str], kind: str, schema: Schema) -> dict[str, Any]:
        return {
            "get": {
                "summary": summary,
                "tags": ["machines"],
                "security": [],
                "responses": {
                    str(status): {"description": why, "content": {kind: {"schema": schema}}}
                    for status, why in answers.items()
                },
            }
        }

    good = {200: "OK"}
    scraped = {"/metrics": get("Metrics for Prometheus", good, "text/plain", {"type": "string"})} if metrics else {}
    return {
        **scraped,
        "/health": get("State, version, configuration and uptime", good, "application/json", _STATUS),
        "/health/live": get("The process runs", good, "application/json", _STATUS),
        "/health/ready": get(
            "Requests are welcome", {200: "Yes.", 503: "Not while starting or draining."}, "application/json", _STATUS
        ),
        "/openapi.json": get("This document", good, "application/json", {"type": "object"}),
        "/docs": get("This document, for people", good, "text/html", {"type": "string"}),
    }
