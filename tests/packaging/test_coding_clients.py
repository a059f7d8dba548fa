"""The coding clients that .ci/coding_clients/run.py installs: pinned by their contents, and as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".ci" / "coding_clients"
WANTED = json.loads((FOLDER / "package.json").read_text())["dependencies"]


def test_the_lock_pins_contents_not_places() -> None:
    text = (FOLDER / "package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert {f"node_modules/{name}" for name in WANTED} <= packages.keys()
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert re.search(r"\w+://|resolved", text) is None


def test_the_page_names_the_versions_that_were_run() -> None:
    page = (ROOT / "docs" / "coding-clients.md").read_text()
    assert dict(re.findall(r"\| `(@[^`]+)` \| (\S+) \|", page)) == WANTED
