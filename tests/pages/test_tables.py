"""Every configuration on a page is taken: tables as `gaiarouter check` would read them, and the rest parses."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from gaiarouter.config.arguments import build_parser
from gaiarouter.config.loader import load
from gaiarouter.config.settings import Settings
from gaiarouter.config.structure import schema_text
from gaiarouter.providers import known_kinds
from gaiarouter.rehearsal.cases import schema_text as schema_of_tests
from tests.packaging.checkout import ROOT
from tests.pages.blocks import Block, blocks, calls

SECTIONS = frozenset(orjson.loads(schema_text())["properties"])
SHIPPED: dict[str, Any] = yaml.safe_load((ROOT / "gaiarouter.yaml").read_text(encoding="utf-8"))
OTHERS = {
    "model_list:": "`gaiarouter import litellm`, tests/config/litellm/test_import.py",
    "virtual_hosts:": "Envoy, which is not everywhere",
}
"""YAML that is not the gateway's: its first line, and who reads it."""


ELSEWHERE = {"docs/adding-a-provider.md": "names providers that the page adds; test_adding_a_provider.py uses them"}


def is_table(block: Block) -> bool:
    return block.page not in ELSEWHERE and yaml.safe_load(block.text).keys() <= SECTIONS


def whole(block: Block) -> str:
    """The block's own text, and behind it what a table needs besides: providers of the shipped one, a route."""
    table = yaml.safe_load(block.text)
    rest: dict[str, Any] = {}
    if "providers" not in table:
        rest["providers"] = SHIPPED["providers"]
    if "routes" not in table:
        rest["routes"] = [
            {"match": "*", "targets": [{"provider": next(iter(table.get("providers", rest.get("providers"))))}]}
        ]
    return block.text + (yaml.safe_dump(rest) if rest else "")


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if is_table(block)], ids=lambda block: block.place)
def test_a_table_is_taken_without_a_problem(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "gaiarouter.yaml"
    file.write_text(whole(block), encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)", file.read_text(encoding="utf-8")), "value")
    assert load(file, environ=environ, known_kinds=known_kinds()).problems == ()


def test_what_is_no_table_is_a_file_of_tests_or_of_somebody_else() -> None:
    validator = Draft202012Validator(orjson.loads(schema_of_tests()))
    rest = [block for block in blocks("yaml") if block.page not in ELSEWHERE and not is_table(block)]
    tests = [block for block in rest if "tests" in yaml.safe_load(block.text)]
    assert [block.place for block in tests for _ in validator.iter_errors(yaml.safe_load(block.text))] == []
    assert {block.text.partition("\n")[0] for block in rest if block not in tests} == OTHERS.keys()


def test_a_mistake_in_a_table_would_be_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unknown key"):
        test_a_table_is_taken_without_a_problem(Block("x", 1, "yaml", "limits: {request: 1/s}\n"), tmp_path)


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.place)
def test_json_is_json(block: Block) -> None:
    orjson.loads(block.text)


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.place)
def test_toml_is_toml(block: Block) -> None:
    tomllib.loads(block.text)


@pytest.mark.parametrize("block", blocks("ini"), ids=lambda block: block.place)
def test_a_unit_of_systemd_starts_what_there_is(block: Block) -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # keys are case-sensitive
    unit.read_string(block.text)
    assert {"Unit", "Service", "Install"} <= set(unit.sections())
    for name in ("ExecStartPre", "ExecStart"):
        (arguments,) = calls(unit["Service"][name], "gaiarouter")
        build_parser().parse_args(arguments)
    assert float(unit["Service"]["TimeoutStopSec"]) > Settings().server.drain_s
