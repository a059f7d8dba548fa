"""Every mistake in a file of tests is told at its place, with what was expected."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator

from gaiarouter.rehearsal.cases import Outcome, check_names, read_suite, schema_text

GOOD = "tests:\n  - name: a\n    model: fb\n    expect: {status: 200}\n"

MISTAKES = {
    "no_tests": ("environ: {}\n", ["1:1: `tests` is missing"]),
    "not_a_mapping": ("- a\n", ["1:1: found no mapping"]),
    "syntax": ("tests: [\n", ["2:1: not YAML"]),
    "unknown_key": (GOOD + "    modle: x\n", ["5:5: tests[0].modle: unknown key; did you mean `model`?"]),
    "no_expectation": ("tests:\n  - {name: a, model: b}\n", ["2:5: tests[0]: `expect` is missing, expected a mapping"]),
    "empty_expectation": ("tests:\n  - {name: a, model: b, expect: {}}\n", ["2:33: tests[0].expect: found nothing"]),
    "unknown_outcome": (
        GOOD + "    outcomes: {main: timout}\n",
        ["5:22: tests[0].outcomes.main: found 'timout'; did you mean `timeout`?"],
    ),
    "no_status": (
        GOOD + "    outcomes: {main: [503, 200]}\n",
        ["5:28: tests[0].outcomes.main[1]: found '200', expected one of ok, timeout"],
    ),
    "unknown_member": (
        GOOD + "    outcomes: {main: {outcome: ok, retry-after: 1s}}\n",
        ["5:36: tests[0].outcomes.main.retry-after: unknown key; did you mean `retry_after`?"],
    ),
    "no_unit": (GOOD + "    pause: 5\n", ["5:12: tests[0].pause: found 5 without a unit"]),
    "no_unit_in_an_outcome": (
        GOOD + "    outcomes: {main: {after: 5}}\n",
        ["5:30: tests[0].outcomes.main.after: found '5', expected a duration"],
    ),
    "two_in_one_attempt": (
        "tests:\n  - {name: a, model: b, expect: {attempts: [{a: ok, b: ok}]}}\n",
        ["2:45: tests[0].expect.attempts[0]: found several things"],
    ),
    "shares_of_few": (
        "tests:\n  - {name: a, model: b, expect: {shares: {main: 90%}}}\n",
        ["2:34: tests[0].expect.shares: shares of 1 requests say nothing"],
    ),
    "same_name": (GOOD + GOOD.partition("\n")[2], ["5:11: tests[1].name: another test has the name 'a'"]),
    "wrong_dialect": (GOOD + "    dialect: openai\n", ["5:14: tests[0].dialect: found 'openai', expected one of chat"]),
    "several": (GOOD + "    stream: 1\n    seed: x\n", ["5:13: tests[0].stream", "6:11: tests[0].seed"]),
    "tag": ("tests: !!python/object:os.system []\n", ["1:8: tests: the tag"]),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_at_its_place(tmp_path: Path, text: str, told: list[str]) -> None:
    file = tmp_path / "a.test.yaml"
    file.write_text(text)
    suite = read_suite(file)
    assert suite.cases == ()
    found = [str(problem) for problem in suite.problems]
    assert len(found) == len(told), found
    for problem, wanted in zip(found, told, strict=True):
        assert problem.startswith(f"{file}:{wanted}"), problem


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    (problem,) = read_suite(tmp_path / "none.test.yaml").problems
    assert "cannot be read: No such file" in str(problem)


def test_providers_that_the_table_lacks_are_told_where_they_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.test.yaml"
    file.write_text(
        "tests:\n"
        "  - name: a\n"
        "    model: fb\n"
        "    off: [nobody]\n"
        "    outcomes: {mian: ok, main/m: ok}\n"
        "    expect: {served_by: bakcup, attempts: [main, {other/x: ok}, else]}\n"
    )
    told = [str(problem) for problem in check_names(read_suite(file), ("main", "backup", "other"))]
    assert told == [
        f"{file}:4:10: tests[0].off: unknown provider 'nobody'; the table has main, backup, other",
        f"{file}:5:16: tests[0].outcomes.mian: unknown provider 'mian'; did you mean `main`?",
        f"{file}:6:25: tests[0].expect.served_by: unknown provider 'bakcup'; did you mean `backup`?",
        f"{file}:6:65: tests[0].expect.attempts[2]: unknown provider 'else'; the table has main, backup, other",
    ]


def test_what_a_case_says_is_what_is_played(tmp_path: Path) -> None:
    file = tmp_path / "a.test.yaml"
    file.write_text(
        "environ: {A: b}\n"
        "tests:\n"
        "  - name: a\n"
        "    model: gpt-5\n"
        "    key: {name: me, models: ['gpt-*'], unsupported: error}\n"
        "    headers: {X-One: two}\n"
        "    outcomes: {main: [timeout, 503, {outcome: 429, after: 2s, retry_after: 500ms}], backup: refused}\n"
        "    repeat: 20\n"
        "    pause: 1s\n"
        "    expect: {attempts: [main, main/x: 503], shares: {main: 12.5%}, within: 2m, headers: {Retry-After: null}}\n"
    )
    suite = read_suite(file)
    assert (suite.problems, suite.environ) == ((), {"A": "b"})
    (case,) = suite.cases
    assert (case.line, case.key_name, case.key_models, case.key_unsupported) == (3, "me", ("gpt-*",), "error")
    assert case.outcomes == {
        "main": (Outcome("timeout"), Outcome("503"), Outcome("429", 2.0, 0.5)),
        "backup": (Outcome("refused"),),
    }
    assert [(each.target, each.outcome) for each in case.expect.attempts] == [("main", None), ("main/x", "503")]
    assert (case.expect.shares, case.expect.within_s, case.expect.headers) == (
        {"main": 0.125},
        120.0,
        {"retry-after": None},
    )
    assert (case.repeat, case.pause_s) == (20, 1.0)


def test_the_schema_is_a_schema_and_describes_its_members() -> None:
    schema = orjson.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    for name in ("test", "expect"):
        members = schema["$defs"][name]["properties"]
        undescribed = [key for key, each in members.items() if "description" not in each and "$ref" not in each]
        assert undescribed == []
