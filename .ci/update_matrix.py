"""Writes the matrix of docs/dialects.md: what is tried of every client on every provider, from tests/matrix."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.matrix.cells import DIALECTS, REFUSED, ROWS, WORDLESS  # noqa: E402
from tests.matrix.recordings import script  # noqa: E402

PAGE = ROOT / "docs" / "dialects.md"
BEGIN, END = "<!-- matrix: begin (written by .ci/update_matrix.py) -->", "<!-- matrix: end -->"


def matrix() -> str:
    """A table for each client: a row is what is asked or answered, a column how the target is spoken to."""
    return "\n\n".join(_table(client) for client in DIALECTS)


def _table(client: str) -> str:
    head = f"| {DIALECTS[client]} client | {' | '.join(f'{name} target' for name in DIALECTS.values())} |"
    rows = [f"| {row} | {' | '.join(_cell(client, target, row) for target in DIALECTS)} |" for row in ROWS]
    return "\n".join([head, f"| --- {'| --- ' * len(DIALECTS)}|", *rows])


def _cell(client: str, target: str, row: str) -> str:
    if client in WORDLESS.get(row, ()):
        return "no words for it"
    if (field := REFUSED.get((client, target, row))) is not None:
        return f"400: `{field}`"
    tried = [how for how, stream in (("whole", False), ("streamed", True)) if script(target, row, stream=stream)]
    return ", ".join(tried)


def with_matrix(page: str) -> str:
    """`page` with the matrix as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{matrix()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_matrix(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
