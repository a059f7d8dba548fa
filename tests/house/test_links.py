"""Every link of a page leads somewhere, to its heading too, and every page is reached from the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "config" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: Path) -> set[Path]:
    return {(page.parent / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert {link for link in links(page) if not link.exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_anchors_of_a_page_are_headings(page: Path) -> None:
    anchors = {(page.parent / link if link else page, name) for link, name in ANCHOR.findall(page.read_text("utf-8"))}
    assert {(target.name, name) for target, name in anchors if name not in headings(target)} == set()


def headings(page: Path) -> set[str]:
    """The anchors that a forge makes of the headings of `page`."""
    found = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        found = {link for target in links(page) for link in (target.glob("*.md") if target.is_dir() else [target])}
        waiting += [link for link in found - reached if link.suffix == ".md"]
    assert set(PAGES) - reached == set()
