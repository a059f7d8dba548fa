"""The page of reliability names a measurement or a test for each of its numbers, and the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (N\d+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))
NUMBERS = {f"N{number}" for number in range(1, 19)} - {"N14"}


def test_every_number_is_shown_by_a_figure_or_a_test() -> None:
    assert ROWS.keys() == NUMBERS
    assert {number for number, shown in ROWS.items() if "tests/" not in shown and "](" not in shown} == set()


def test_the_tests_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"tests/[\w/]+\.py", PAGE))
    assert len(named) > 10
    assert {name for name in named if not (ROOT / name).exists()} == set()
