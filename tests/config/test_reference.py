"""The reference of settings in docs/configuration.md: current, whole, and every example in it is taken."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest
import yaml

from gaiarouter.config.loader import load_mapping
from gaiarouter.config.structure import schema_text
from gaiarouter.providers import known_kinds
from tests.packaging.checkout import ROOT

SCRIPT = runpy.run_path(str(ROOT / ".ci" / "update_configuration_page.py"))
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = orjson.loads(schema_text())
BASE = {
    "providers": {"openai": {"base_url": "http://gpu.internal:8000/v1"}},
    "routes": [{"match": "gpt-*", "targets": [{"provider": "openai"}]}],
}
"""A table that every example fits into."""
NEEDED = {
    "capabilities[]": {"match": "gpt-*", "chat": {"stop": True}},
    "prices[]": {"match": "gpt-*", "input": 1},
    "api_key[]": {"key": "${OPENAI_API_KEY}"},
    "fallbacks[]": {"provider": "openai"},
    "bodies": {"path": "bodies.jsonl"},
    "tls": {"certificate": "tls.crt", "key": "tls.key"},
    "traces": {"endpoint": "http://collector:4318"},
}
"""What else must stand in an entry, beside the key that the example is of."""
ENVIRON = {"OPENAI_API_KEY": "k-1", "OPENAI_API_KEY_2": "k-2", "DB_PASSWORD": "p-1"}


def rows() -> dict[str, list[str]]:
    """By key: what it takes, its default, an example, what it means."""
    cells = (
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in SCRIPT["reference"]().splitlines()
        if line.startswith("| `")
    )
    return {key.strip("`"): rest for key, *rest in cells}


ROWS = rows()
LEAVES = {
    key: cells
    for key, cells in ROWS.items()
    if not any(re.match(rf"{re.escape(key)}(\[\])*\.", other) for other in ROWS)
}


def test_the_page_is_current() -> None:
    assert SCRIPT["with_reference"](PAGE) == PAGE, "run python .ci/update_configuration_page.py"


def test_every_key_of_the_schema_has_its_row() -> None:
    named = {name for schema in properties(SCHEMA) for name in schema}
    assert named - {part.rstrip("[]") for key in ROWS for part in key.split(".")} == set()
    assert len(LEAVES) > 100


def properties(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of keys to their schemas."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            yield schema["properties"]
        for value in schema.values():
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


def test_every_setting_says_what_it_takes_its_default_an_example_and_its_meaning() -> None:
    assert {key: cells for key, cells in LEAVES.items() if "" in cells} == {}
    assert [key for key, cells in ROWS.items() if not cells[0] or not cells[3]] == []


@pytest.mark.parametrize("key", LEAVES)
def test_its_example_is_taken(key: str) -> None:
    table = deepcopy(BASE)
    _put(table, key.replace("NAME", "openai").split("."), yaml.safe_load(LEAVES[key][2].strip("`")))
    assert load_mapping(table, environ=ENVIRON, known_kinds=known_kinds()).errors == ()


def _put(table: Any, path: list[str], value: Any) -> None:
    """Into `table` at the path of a key of the reference, where `[]` is the first entry of a list."""
    (name, *inside), rest = re.split(r"(?=\[\])", path[0]), path[1:]
    if not rest:
        table[name] = value
        return
    for _ in inside:
        table, name = table.setdefault(name, [{}]), 0
    entry = table.setdefault(name, {}) if isinstance(name, str) else table[0]
    entry.update({key: needed for key, needed in NEEDED.get(path[0], {}).items() if key not in entry})
    _put(entry, rest, value)
