"""docs/dialects.md tells what becomes of each field as the accounts in the code do."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_dialects_is_current() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
    script = runpy.run_path(str(ROOT / ".ci" / "update_dialects_page.py"))
    assert script["with_table"](page) == page, "run python .ci/update_dialects_page.py"
    assert page.count("| `") > 50
