"""docs/pitfalls.md tells the truth: every pitfall is listed, and what is said to hold is shown by tests that exist."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "update_pitfalls_page.py"))
PAGE = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (T\d+) \| .+? \| (.*) \|$", PAGE, re.MULTILINE))


def test_every_pitfall_is_listed_once() -> None:
    listed = re.findall(r"^\| (T\d+) ", PAGE, re.MULTILINE)
    assert listed == [f"T{number:02}" for number in range(1, 110)]


def test_the_page_of_pitfalls_is_current() -> None:
    assert SCRIPT["with_tests"](PAGE, SCRIPT["tests_by_id"]()) == PAGE, "run python .ci/update_pitfalls_page.py"


def test_no_test_names_a_pitfall_that_is_none() -> None:
    assert SCRIPT["tests_by_id"]().keys() <= ROWS.keys()


def test_what_no_test_shows_says_why() -> None:
    bare = {pitfall: words for pitfall, words in ROWS.items() if "`test" not in words and "/test_" not in words}
    assert all(words.startswith(("does not apply: ", "not yet: ")) for words in bare.values()), bare
    assert len(bare) < 5
