"""`gaiarouter test` finds the files, says what differs and what happened, and ends with a code for pipelines."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gaiarouter.cli import main
from gaiarouter.rehearsal.run import test_files_of as files_of
from tests.rehearsal.table import TABLE

ROOT = Path(__file__).parents[2]

TESTS = """\
tests:
  - name: it falls back
    model: fb
    outcomes: {main: [timeout, 503]}
    expect: {attempts: [main: timeout, backup: ok], served_by: backup, status: 200, headers: {x-gaia-attempts: "2"}}
  - name: it does <not>
    model: fb
    outcomes: {main: timeout}
    expect: {attempts: [main], served_by: main, status: 500, route: other, within: 1s, error: nope, dropped: [seed]}
"""
SAID = """\
ok    it falls back
FAIL  it does <not>
      {file}:6
      route        expected  other
                   happened  fb
      status       expected  500
                   happened  200
      error        expected  nope
                   happened  none
      served_by    expected  main
                   happened  backup/b
      attempts     expected  main
                   happened  main/m: timeout, backup/b: ok
      dropped      expected  seed
                   happened  nothing
      within       expected  1 s
                   happened  20 s
           0.000 s  attempt 1  main/m    timeout, after 20 s
          20.000 s  attempt 2  backup/b  ok
          20.000 s  answered   200 by backup/b, route fb
2 tests, 1 failed
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(json.dumps(TABLE))
    return path


def test_a_failure_says_what_was_expected_and_what_happened(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.test.yaml"
    file.write_text(TESTS)
    assert main(["test", "-c", str(table)]) == 1
    assert capsys.readouterr().out == SAID.format(file=file)


def test_junit_tells_a_build_server_the_same(table: Path, tmp_path: Path) -> None:
    (tmp_path / "t.test.yaml").write_text(TESTS)
    report = tmp_path / "report.xml"
    assert main(["test", "-c", str(table), "--junit", str(report)]) == 1
    root = ElementTree.fromstring(report.read_text())
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    passed, failed = suite
    assert (passed.get("name"), list(passed)) == ("it falls back", [])
    assert (failed.get("name"), failed.get("line")) == ("it does <not>", "6")
    (failure,) = failed
    assert (failure.get("message") or "").startswith("route: expected other, was fb; status: expected 500, was 200")
    assert "attempt 2  backup/b  ok" in (failure.text or "")


def test_tests_that_pass_end_with_0_and_say_more_when_asked(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "elsewhere.yaml"
    file.write_text(TESTS.partition("  - name: it does")[0])
    assert main(["test", "-c", str(table), str(file), "-v"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ok    it falls back\n           0.000 s  attempt 1  main/m")
    assert said.endswith("1 test, all passed\n")


def test_a_mistake_in_a_file_of_tests_or_in_the_table_ends_with_2(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.test.yaml"
    file.write_text("tests:\n  - {name: a, model: b, expect: {status: 200}, off: [nobody]}\n")
    assert main(["test", "-c", str(table)]) == 2
    assert capsys.readouterr().err.startswith(f"{file}:2:53: tests[0].off: unknown provider 'nobody'")
    file.write_text(TESTS)
    table.write_text("routes: 5\n")
    assert main(["test", "-c", str(table)]) == 2
    assert capsys.readouterr().err.startswith(f"{table}:1:9: routes: found 5")


def test_without_tests_it_says_where_it_looked(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "-c", str(table)]) == 1
    assert f"no t.test.yaml beside {table}" in capsys.readouterr().err


def test_tests_give_the_variables_that_the_table_needs(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    providers = {**TABLE["providers"], "main": {**TABLE["providers"]["main"], "api_key": "${SET_NOWHERE}"}}
    table.write_text(json.dumps({**TABLE, "providers": providers}))
    file = tmp_path / "t.test.yaml"
    one = TESTS.partition("  - name: it does")[0]
    file.write_text(one)
    assert main(["test", "-c", str(table)]) == 2
    assert "${SET_NOWHERE} is not set" in capsys.readouterr().err
    file.write_text(f"environ: {{SET_NOWHERE: x}}\n{one}")
    assert main(["test", "-c", str(table)]) == 0


def test_files_are_found_by_the_tables_name(tmp_path: Path) -> None:
    for name in ("a.test.yaml", "a.more.test.yaml", "b.test.yaml", "ab.test.yaml", "config/a.test.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_of(tmp_path / "a.yaml")]
    assert found == ["a.test.yaml", "a.more.test.yaml", "config/a.test.yaml"]


def test_the_shipped_table_keeps_what_its_tests_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["test"]) == 0, capsys.readouterr().out
    assert "15 tests, all passed" in capsys.readouterr().out


def test_the_schema_of_tests_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--tests"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "gaiarouter.test.yaml"
