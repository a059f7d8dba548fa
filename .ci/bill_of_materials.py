"""What the gateway is made of, as a CycloneDX bill of materials; with `--page` the table of docs/supply-chain.md.

Versions are the lock's, licences those that the installed packages say of themselves. The same lock makes the same
bill, as of SOURCE_DATE_EPOCH where that is set.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from configparser import ConfigParser
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from gaiarouter import __version__

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "supply-chain.md"
BEGIN, END = "<!-- table: begin (written by .ci/bill_of_materials.py --page) -->", "<!-- table: end -->"
EXTRAS = ("tokens", "otel")

SPDX = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "BSD-3-Clause": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "MIT": "MIT",
    "MIT License": "MIT",
    "PSF-2.0": "PSF-2.0",
}
"""What packages write that have no `License-Expression` yet."""
ELSEWHERE = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause"}
"""Licences of packages that are installed on other platforms, or with older Pythons, only."""


@dataclass(frozen=True, slots=True)
class Package:
    """extra: what brings it; empty for what every gateway has."""

    name: str
    version: str
    extra: str = ""

    @property
    def licence(self) -> str:
        """An SPDX expression. Raises LookupError where none is said, or one that is not known."""
        try:
            said = metadata(self.name)
        except PackageNotFoundError:
            return ELSEWHERE[self.name]
        return said.get("License-Expression") or SPDX[said.get("License", "")]


def packages() -> list[Package]:
    """Those of every gateway, then those of the extras."""
    runtime, everything = locked("requirements.lock"), locked("requirements-dev.lock")
    found = [Package(name, version) for name, version in runtime.items()]
    for extra in EXTRAS:
        more = _with_theirs(_named_by(extra)) - {package.name for package in found}
        found += [Package(name, everything[name], extra) for name in sorted(more)]
    return found


def locked(lock: str) -> dict[str, str]:
    """The version of each package."""
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def bill() -> Bom:
    """Of what every gateway has, as the image does."""
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"{__version__} {locked('requirements.lock')}"))
    if (epoch := os.environ.get("SOURCE_DATE_EPOCH")) is not None:
        bom.metadata.timestamp = datetime.fromtimestamp(int(epoch), UTC)
    bom.metadata.component = gateway = _component("gaiarouter", __version__, ComponentType.APPLICATION)
    parts = [_library(package) for package in packages() if not package.extra]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(gateway, parts)
    return bom


def with_table(page: str) -> str:
    """`page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| package | version | licence |", "| --- | --- | --- |", *map(_row, packages())]
    return "\n".join([f"{before}{BEGIN}", "", *rows, "", f"{END}{after}"])


def _row(package: Package) -> str:
    with_extra = f" (extra `{package.extra}`)" if package.extra else ""
    return f"| {package.name}{with_extra} | {package.version} | {package.licence} |"


def _library(package: Package) -> Component:
    part = _component(package.name, package.version, ComponentType.LIBRARY)
    part.purl = PackageURL("pypi", name=package.name, version=package.version)
    part.licenses.add(LicenseExpression(package.licence))
    return part


def _component(name: str, version: str, kind: ComponentType) -> Component:
    return Component(name=name, version=version, type=kind, bom_ref=f"{name}=={version}")


def _named_by(extra: str) -> set[str]:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = parser["options.extras_require"][extra].split("\n")
    return {_normal(Requirement(line).name) for line in lines if line.strip() and not line.startswith("#")}


def _with_theirs(names: Iterable[str]) -> set[str]:
    """The names, and all that they require here."""
    found: set[str] = set()
    left = list(names)
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            wanted = map(Requirement, requires(name) or ())
            left += [
                _normal(each.name) for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    if sys.argv[1:] == ["--page"]:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(JsonV1Dot6(bill()).output_as_string(indent=2))
