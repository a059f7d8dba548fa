"""Writes the right column of docs/pitfalls.md: the files with tests that carry a pitfall's id in their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "pitfalls.md"

_TEST = re.compile(r"^(?:async )?def test((?:_t\d{1,3})+)_", re.MULTILINE)
_ROW = re.compile(r"\| (T\d{2,3}) \| (.*?) \|(.*)\|")


def tests_by_id() -> Mapping[str, list[str]]:
    """Files below tests/, by the ids in the names of the tests they hold."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for names in _TEST.findall(path.read_text(encoding="utf-8")):
            for number in re.findall(r"\d+", names):
                found.setdefault(f"T{int(number):02}", set()).add(path.relative_to(ROOT / "tests").as_posix())
    return {pitfall: sorted(files) for pitfall, files in found.items()}


def with_tests(page: str, found: Mapping[str, list[str]]) -> str:
    """`page` with the column as it is now; a row without tests keeps its own words."""

    def row(match: re.Match[str]) -> str:
        pitfall, mistake, words = match.groups()
        files = [f"`{file}`" for file in found.get(pitfall, ())]
        return f"| {pitfall} | {mistake} | {', '.join(files) if files else words.strip()} |"

    return "\n".join(_ROW.sub(row, line) if line.startswith("| T") else line for line in page.split("\n"))


if __name__ == "__main__":
    PAGE.write_text(with_tests(PAGE.read_text(encoding="utf-8"), tests_by_id()), encoding="utf-8")
