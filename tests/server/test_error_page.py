"""docs/errors.md names every code that the gateway can answer with, and no other, each with its status."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gaiarouter import errors
from gaiarouter.errors import GatewayError, Rejected

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d{3}) \| `(\w+)` \| [^|]+ \| [^|]+ \|$", re.MULTILINE)

# what is given elsewhere than where the error is made
MORE = {
    (504, "deadline_exceeded"),
    (504, "stream_timeout"),
    (400, "context_length_exceeded"),
    (400, "content_policy_violation"),
}
BASES = {"GatewayError", "CallerError", "UpstreamError", "RequestRefused"}
"""Never answered with as they are, or with a status and code that each place gives."""


def classes() -> dict[str, type[GatewayError]]:
    return {
        name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, GatewayError)
    }


def made() -> Iterator[tuple[int, str]]:
    """Status and code of every error that is made somewhere in the package."""
    known = classes()
    for path in (ROOT / "gaiarouter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in known:
                continue
            kind = known[node.func.id]
            given = {
                word.arg: word.value.value
                for word in node.keywords
                if word.arg in ("status", "code") and isinstance(word.value, ast.Constant)
            }
            status, code = given.get("status", kind.status), given.get("code", kind.code)
            if isinstance(status, int) and isinstance(code, str) and (kind.__name__ not in BASES or given):
                yield status, code


def by_default() -> Iterator[tuple[int, str]]:
    for name, kind in classes().items():
        if name not in BASES and kind is not Rejected and kind.code is not None:
            yield kind.status, kind.code


def test_the_page_and_the_code_name_the_same_errors() -> None:
    told = {(int(status), code) for status, code in ROW.findall(PAGE)}
    assert told == {*made(), *by_default()} | MORE


def test_every_row_says_when_and_what_to_do() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == len(ROW.findall(PAGE)), "a row is not of the table's form"
    codes = [code for _, code in ROW.findall(PAGE)]
    assert len(codes) == len(set(codes))
