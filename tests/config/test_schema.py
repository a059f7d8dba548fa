"""The schema that editors use: valid, complete, explained, and of one mind with the settings' defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from gaiarouter.config.loader import load_settings
from gaiarouter.config.settings import Settings
from gaiarouter.config.structure import schema_text

SCHEMA: dict[str, Any] = orjson.loads(schema_text())


def subschemas(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            yield from subschemas(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from subschemas(value, f"{path}/{index}")


def test_the_schema_is_a_valid_one_of_its_draft() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_mapping_refuses_unknown_keys_or_says_what_its_values_are() -> None:
    for path, schema in subschemas(SCHEMA):
        if schema.get("type") == "object":
            assert "additionalProperties" in schema, path


def test_every_key_of_the_file_is_explained() -> None:
    unexplained = [
        f"{path}/{name}"
        for path, schema in subschemas(SCHEMA)
        if isinstance(schema.get("properties"), dict) and "type" in schema
        for name, value in schema["properties"].items()
        if "description" not in {**(SCHEMA["$defs"][value["$ref"].split("/")[-1]] if "$ref" in value else {}), **value}
    ]
    assert unexplained == []


def defaults(schema: dict[str, Any]) -> Any:
    """What a file would say that says every default that the schema names."""
    if "$ref" in schema and "default" not in schema:
        schema = SCHEMA["$defs"][schema["$ref"].split("/")[-1]]
    if "default" in schema:
        return schema["default"]
    if "required" in schema:
        return None  # left out, which is its default
    given = {name: defaults(value) for name, value in schema.get("properties", {}).items()}
    return {name: value for name, value in given.items() if value is not None} or None


def test_the_defaults_that_the_schema_names_are_those_of_the_settings() -> None:
    route = {"match": "x", "targets": [{"provider": "p"}]}
    bare = {"providers": {"p": {"dialect": "echo"}}, "routes": [route]}
    said = {**defaults(SCHEMA), **bare}
    assert {"server", "store", "defaults", "limits", "auth", "stream"} <= said.keys()
    assert said["defaults"].keys() == {"timeouts", "retry", "breaker"}
    with_them, without = load_settings(said), load_settings(bare)
    for name in Settings.__slots__:
        if name != "fingerprint":
            assert getattr(with_them, name) == getattr(without, name), name


@pytest.mark.parametrize("section", ["timeouts", "retry", "breaker"])
def test_every_setting_of_a_route_has_a_default(section: str) -> None:
    assert all("default" in value for value in SCHEMA["$defs"][section]["properties"].values())
