"""The suite's own rule: what did not run in CI is a failure, in one process or in several."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPS = "import pytest\ndef test_it():\n    pytest.skip('no tool')\n"
SKIPS_MODULE = "import pytest\npytest.importorskip('no_such_module')\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert False\n"
PASSES = "def test_it():\n    pass\n"
FAILS = "def test_it():\n    assert False\n"
LOGS_HALF_A_CHARACTER = "import logging\ndef test_it():\n    logging.getLogger('x').warning('\\ud800')\n"
FAILS_WITH_HALF_A_CHARACTER = "def test_it():\n    assert '\\ud800' == 'whole'\n"

TWO_PROCESSES = ("-p", "xdist", "-n", "2", "--dist", "loadfile")


def _run_suite(folder: Path, *sources: str, ci: str, how: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    for number, source in enumerate((PASSES, *sources)):
        (folder / f"test_{number}.py").write_text(source)
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}", *how)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=folder,
        env={**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("source", [SKIPS, SKIPS_MODULE, EXPECTED_FAILURE], ids=["skip", "module", "xfail"])
def test_what_did_not_run_fails_the_session_in_ci(tmp_path: Path, source: str) -> None:
    run = _run_suite(tmp_path, source, ci="true")
    assert run.returncode == 1, run.stdout
    assert "CI is set and 1 did not run: " in run.stdout
    assert "test_1.py" in run.stdout


def test_what_did_not_run_in_either_process_fails_the_session_in_ci(tmp_path: Path) -> None:
    run = _run_suite(tmp_path, SKIPS, SKIPS_MODULE, EXPECTED_FAILURE, ci="true", how=TWO_PROCESSES)
    assert run.returncode == 1, run.stdout
    assert "CI is set and 3 did not run: " in run.stdout


def test_a_person_may_skip(tmp_path: Path) -> None:
    assert _run_suite(tmp_path, SKIPS, ci="").returncode == 0


def test_a_whole_run_passes_in_ci(tmp_path: Path) -> None:
    run = _run_suite(tmp_path, PASSES, ci="true")
    assert run.returncode == 0, run.stdout
    assert "did not run" not in run.stdout


def test_a_failure_is_a_failure(tmp_path: Path) -> None:
    assert _run_suite(tmp_path, FAILS, ci="").returncode == 1


@pytest.mark.parametrize(
    ("source", "passed", "status"),
    [(LOGS_HALF_A_CHARACTER, 2, 0), (FAILS_WITH_HALF_A_CHARACTER, 1, 1)],
    ids=["logged", "in a failure"],
)
def test_half_a_character_in_a_report_does_not_end_the_run(
    tmp_path: Path, source: str, passed: int, status: int
) -> None:
    run = _run_suite(tmp_path, source, ci="true", how=TWO_PROCESSES)
    assert (run.returncode, f"{passed} passed" in run.stdout) == (status, True), run.stdout
