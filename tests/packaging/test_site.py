"""The site of the documentation: built without a warning, whole, and loading nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT

DOCS = ROOT / "docs"
FETCHED = {"src", "srcset", "poster", "data", "background"}
"""Attributes whose address a browser asks for by itself; so does it for `href` of `<link>`."""


def build(docs: Path, to: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", str(docs), str(to)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(DOCS, folder)
    assert built.returncode == 0, built.stderr
    return folder


class Fetches(HTMLParser):
    """Addresses that a page has loaded without a click, and its links."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in FETCHED or (name, tag) == ("href", "link"):
                self.fetched.append(value or "")
            elif (name, tag) == ("href", "a"):
                self.links.append(value or "")


def test_every_page_is_a_page_of_the_site_and_in_its_navigation(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")}
    assert {page for page in pages if not (site / page).exists()} == set()
    reached = {link.partition("#")[0] for link in Fetches(site / "index.html").links}
    assert {page for page in pages if "/" not in page} - reached <= {"index.html"}


def test_the_pages_load_nothing_from_elsewhere(site: Path) -> None:
    fetched = {address for page in site.rglob("*.html") for address in Fetches(page).fetched}
    assert any(address.endswith(".css") or ".css?" in address for address in fetched)
    assert {
        address for address in fetched if re.match(r"[a-z]+:|//", address) and not address.startswith("data:")
    } == set()
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text) == [], sheet.name


DEAD = {
    "[x](nowhere.md)": "nowhere",
    "[x](other.md#no-heading)": "no-heading",
    "[x](#no-anchor)": "no-anchor",
    "[x](../nothing.yaml)": "nothing.yaml",
    "[x](../README.md)": "README.md",
    "![x](nothing.svg)": "nothing.svg",
    "[x](../config)": "config",
}
"""Links that lead nowhere on the small site below, and what is said of each."""


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "_static", docs / "_static")
    shutil.copy(DOCS / "conf.py", docs)
    (docs / "index.md").write_text("# All\n\n" + "\n\n".join(DEAD) + "\n\n## Pages\n\n- [Other](other.md)\n")
    (docs / "other.md").write_text("# Other\n")
    built = build(docs, tmp_path / "built")
    assert built.returncode != 0
    lines = built.stderr.splitlines()
    assert [link for link, said in DEAD.items() if not any("WARNING" in line and said in line for line in lines)] == []
    assert len(lines) == len(DEAD), built.stderr
