"""What is shipped is known: its licences, its bill of materials, its bytes, and what advisories say of it."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cyclonedx
import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from gaiarouter import __version__
from tests.packaging.checkout import ROOT, copy_tracked

PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0"}
ALLOWED_FOR_A_REASON = {"orjson": "MPL-2.0 is about files of its own alone, which are not changed here"}
"""A licence that asks something of who passes the package on."""

BILL: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "bill_of_materials.py"))
AUDIT: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "audit.py"))


def test_every_runtime_package_has_a_known_and_permissive_licence() -> None:
    licences = {package.name: set(re.findall(r"[\w.-]+", package.licence)) for package in BILL["packages"]()}
    assert len(licences) > 25
    asks = {name for name, words in licences.items() if words - {"AND", "OR"} - PERMISSIVE}
    assert asks == ALLOWED_FOR_A_REASON.keys()


def test_a_package_without_a_known_licence_is_noticed() -> None:
    with pytest.raises(LookupError):
        _ = BILL["Package"]("not-installed-anywhere", "1").licence


def test_the_page_shows_the_licences() -> None:
    page = (ROOT / "docs" / "supply-chain.md").read_text()
    assert BILL["with_table"](page) == page, "run python .ci/bill_of_materials.py --page"


def test_the_bill_of_materials_is_cyclonedx_and_holds_the_lock() -> None:
    printed = subprocess.run(
        [sys.executable, ".ci/bill_of_materials.py"],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    bill = json.loads(printed.stdout)
    assert [error.message for error in _cyclonedx().iter_errors(bill)] == []
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE)
    parts = bill["components"]
    assert {(part["name"], part["version"], part["purl"]) for part in parts} == {
        (name, version, f"pkg:pypi/{name}@{version}") for name, version in pinned
    }
    assert all(part["licenses"][0]["expression"] for part in parts)
    assert bill["metadata"]["component"]["version"] == __version__
    assert bill["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")


def _cyclonedx() -> Draft7Validator:
    whole = json.loads((SCHEMAS / "bom-1.6.SNAPSHOT.schema.json").read_text())
    beside = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    schemas = {name: Resource.from_contents(json.loads((SCHEMAS / name).read_text())) for name in beside}
    base = whole["$id"].rpartition("/")[0]
    registry = Registry().with_resources((f"{base}/{name}", schema) for name, schema in schemas.items())
    return Draft7Validator(whole, registry=registry)


SCHEMAS = Path(cyclonedx.__file__).parent / "schema" / "_res"
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]), file=sys.stderr)"


def built(folder: Path, **environ: str) -> Path:
    """A wheel from a fresh copy of what is tracked."""
    (source := folder / "source").mkdir(parents=True)
    copy_tracked(source)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, "../wheel"],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        umask=0o022,
    )
    return folder / "wheel" / done.stderr.strip().splitlines()[-1]


def test_a_wheel_built_twice_is_the_same_to_the_byte_and_holds_the_package(tmp_path: Path) -> None:
    one = built(tmp_path / "one", PYTHONHASHSEED="1", TZ="UTC")
    other = built(tmp_path / "another place", PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert {wheel.getinfo(name).date_time[:3] for name in inside} == {(2023, 11, 14)}
    package = tmp_path / "one" / "source" / "gaiarouter"
    assert inside == {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {
    "name": "bad",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"], "description": "x"}],
}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


ONE_GOOD = "1 packages looked up, 0 advisories"
ONE_UNKNOWN = "NOT LOOKED UP: 1 packages, the service of advisories is not to be had here"
ONE_BAD = "bad 2: PYSEC-1, mended in 3\n2 packages looked up, 1 advisories"


@pytest.mark.parametrize(
    ("packages", "said", "fails", "strictly"),
    [
        ([GOOD], ONE_GOOD, False, False),
        ([GOOD, BAD], ONE_BAD, True, True),
        ([GOOD, UNKNOWN], f"{ONE_UNKNOWN}\n{ONE_GOOD}", False, True),
    ],
    ids=["good", "bad", "unknown"],
)
def test_an_advisory_fails_and_what_was_not_looked_up_is_said(
    packages: list[dict[str, Any]], said: str, fails: bool, strictly: bool
) -> None:
    findings = AUDIT["Findings"]()
    findings.add(report(*packages))
    assert "\n".join(findings.lines()) == said
    assert (findings.fails(strict=False), findings.fails(strict=True)) == (fails, strictly)


def test_an_accepted_advisory_is_one_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = AUDIT["Findings"]()
    monkeypatch.setitem(AUDIT["Findings"].add.__globals__["ACCEPTED"], "CVE-1", "it is about Windows")
    findings.add(report(BAD))
    assert not findings.fails(strict=True)


def test_a_tool_that_does_not_come_through_has_looked_nothing_up(tmp_path: Path) -> None:
    broken = tmp_path / "pip-audit"
    broken.write_text("#!/bin/sh\necho 'no such host' >&2\nexit 1\n")
    broken.chmod(0o755)
    findings = AUDIT["Findings"]()
    findings.add(AUDIT["audited"](broken, "requirements.lock"))
    assert (findings.looked_up, findings.unknown) == (set(), {"all of requirements.lock"})


def test_the_audits_own_tools_are_pinned_with_hashes() -> None:
    text = (ROOT / ".ci" / "audit.lock").read_text()
    packages = re.split(r"^(?=[a-z0-9-]+(?:\[[a-z,]+\])?==)", text, flags=re.MULTILINE)
    assert len(packages) > 10
    assert [each.split()[0] for each in packages if each.strip() and "--hash=sha256:" not in each] == []
    assert re.search(r"://|--index|--find-links|--trusted", text) is None
