"""docs/dialects.md shows the matrix as it is tried."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_dialects_shows_the_matrix_that_is_tried() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
    script = runpy.run_path(str(ROOT / ".ci" / "update_matrix.py"))
    assert script["with_matrix"](page) == page, "run python .ci/update_matrix.py"
    assert page.count("whole, streamed") > 100
