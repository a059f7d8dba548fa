"""What is installed: only wheels of known contents, and nothing that runs code when Python starts."""

from __future__ import annotations

import re
import sysconfig
from configparser import ConfigParser
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
MOST_DIRECT, MOST_RUNTIME = 15, 32

RUNS_AT_START = {
    "setuptools": "keeps distutils importable; does nothing else",
    "coverage": "measures subprocesses when COVERAGE_PROCESS_START is set",
    "gaiarouter": "our own editable install",
}
"""Distributions whose .pth file may hold an `import` line, which Python runs at every start."""


def _names(lock: str) -> list[str]:
    return re.findall(r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==", (ROOT / lock).read_text(), re.MULTILINE)


def _requirements(text: str) -> set[str]:
    lines = (line.strip() for line in text.splitlines())
    return {
        re.split(r"[<>=!~;\[ ]", line)[0].lower().replace("_", "-")
        for line in lines
        if line and not line.startswith("#")
    }


def _setup() -> tuple[set[str], set[str]]:
    """Direct dependencies: of the gateway, of its development."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return _requirements(parser["options"]["install_requires"]), _requirements(parser["options.extras_require"]["dev"])


def test_no_foreign_code_runs_when_python_starts() -> None:
    owners = {
        file.name: distribution.metadata["Name"].lower()
        for distribution in distributions()
        for file in distribution.files or ()
        if file.suffix == ".pth"
    }
    running = [path.name for path in Path(sysconfig.get_path("purelib")).glob("*.pth") if _has_import(path.read_text())]
    assert [name for name in running if owners.get(name) not in RUNS_AT_START] == []


def _has_import(text: str) -> bool:
    return re.search(r"^import[ \t]", text, re.MULTILINE) is not None


@pytest.mark.parametrize(
    ("text", "runs"), [("import os; os.system('x')\n", True), ("/some/path\n", False), ("# import x\n", False)]
)
def test_an_import_line_is_seen(text: str, runs: bool) -> None:
    assert _has_import(text) is runs


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_the_lock_has_hashes_and_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)
    assert len(packages) > 20
    assert [package.split()[0] for package in packages if package.strip() and "--hash=sha256:" not in package] == []
    assert re.search(r"://|--index|--find-links|--trusted", text) is None


def test_there_are_few_dependencies() -> None:
    runtime, _ = _setup()
    assert len(runtime) <= MOST_DIRECT
    assert len(_names("requirements.lock")) <= MOST_RUNTIME


def test_the_locks_hold_what_setup_asks_for() -> None:
    runtime, development = _setup()
    assert runtime <= set(_names("requirements.lock"))
    assert runtime | development <= set(_names("requirements-dev.lock"))


def test_both_locks_agree() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_every_direct_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text()
    cells = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    explained = {name.strip().lower() for cell in cells for name in cell.split(",")} - {"runtime", "development", "---"}
    runtime, development = _setup()
    assert explained == runtime | development
