"""Looks for known advisories about every package of the locks: `python .ci/audit.py [--strict]`.

The tool comes from a lock of its own into a folder of its own: what judges an environment is no part of it. Advisories
are kept by a service on the internet. Where that is not to be had, or does not know the packages, it is said which were
not looked up; that is a failure with `--strict`, as before a release.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
TOOLS = Path(__file__).with_name("audit.lock")
INSTALL_BOUND_S, AUDIT_BOUND_S = 300, 300

ACCEPTED: dict[str, str] = {}
"""Advisory -> why it does not hurt here, and until when."""


@dataclass
class Findings:
    """advisories: of each, `package version: id`. unknown: packages that nobody was asked about."""

    advisories: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    looked_up: set[str] = field(default_factory=set)

    def add(self, report: dict[str, Any]) -> None:
        """report: as pip-audit prints it in JSON."""
        for package in report["dependencies"]:
            if "skip_reason" in package:
                self.unknown.add(package["name"])
                continue
            named = f"{package['name']} {package['version']}"
            self.looked_up.add(named)
            for each in package["vulns"]:
                if not {each["id"], *each["aliases"]} & ACCEPTED.keys():
                    fixed = ", ".join(each["fix_versions"]) or "no version"
                    self.advisories.add(f"{named}: {each['id']}, mended in {fixed}")

    def lines(self) -> list[str]:
        said = sorted(self.advisories)
        if self.unknown:
            said.append(f"NOT LOOKED UP: {len(self.unknown)} packages, the service of advisories is not to be had here")
        return [*said, f"{len(self.looked_up)} packages looked up, {len(self.advisories)} advisories"]

    def fails(self, *, strict: bool) -> bool:
        return bool(self.advisories) or (strict and bool(self.unknown))


def audited(tool: Path, lock: str) -> dict[str, Any]:
    """Everything in it as skipped where the tool itself does not come through."""
    options = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json", "-r", str(ROOT / lock))
    done = subprocess.run(
        [tool, *options], cwd=ROOT, capture_output=True, text=True, timeout=AUDIT_BOUND_S, check=False
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().rsplit("\n", 1)[-1]
        return {"dependencies": [{"name": f"all of {lock}", "skip_reason": last}]}
    return report


def tool_in(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    install = ("install", "-q", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
    subprocess.run([folder / "bin" / "pip", *install, "-r", TOOLS], timeout=INSTALL_BOUND_S, check=True)
    return folder / "bin" / "pip-audit"


def main(arguments: Sequence[str]) -> int:
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        tool = tool_in(Path(folder))
        for lock in LOCKS:
            findings.add(audited(tool, lock))
    print("\n".join(findings.lines()))
    return int(findings.fails(strict="--strict" in arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
