"""The examples of docs/changing-the-table.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from gaiarouter.cli import main
from gaiarouter.rehearsal.cases import WORDS
from gaiarouter.routing.explain import Why

PAGE = (Path(__file__).parents[2] / "docs" / "changing-the-table.md").read_text(encoding="utf-8")
TABLE, TESTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
FAILURE = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("gaiarouter.yaml").write_text(TABLE)
    file = Path("gaiarouter.test.yaml")
    file.write_text(TESTS)
    return file


def test_the_tests_of_the_page_pass(tests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(tests)]) == 0, capsys.readouterr()


def test_a_failure_reads_as_on_the_page(tests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests.write_text(TESTS.replace("served_by: openrouter/openai/gpt-5-mini", "served_by: openai"))
    assert main(["test", str(tests)]) == 1
    assert capsys.readouterr().out == FAILURE


def test_every_outcome_and_reason_is_on_the_page() -> None:
    for word in (*WORDS, *get_args(Why)):
        assert f"`{word}`" in PAGE, word
