"""The pages of security and streaming name a test for each of their claims, and the tests are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"^\| [^|]+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE)


@pytest.mark.parametrize("page", ["security.md", "streaming.md"])
def test_the_tests_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = NAMED.findall(text)
    rows = text.partition("| claim | test |\n| --- | --- |\n")[2].partition("\n\n")[0].splitlines()
    assert len(named) == len(rows) >= 10
    assert {f"{file}::{test}" for file, test in named if test not in _tests_in(ROOT / file)} == set()


def _tests_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
