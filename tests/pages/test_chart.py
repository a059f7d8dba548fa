"""The chart in docs/architecture.md names the stages in their order, and folders that there are."""

from __future__ import annotations

import re

from gaiarouter.pipeline import STAGES
from tests.packaging.checkout import ROOT

CHART = (ROOT / "docs" / "life-of-a-request.svg").read_text(encoding="utf-8")


def test_the_stages_are_those_of_the_pipeline_in_their_order() -> None:
    drawn = re.findall(r'<rect class="p".*?\n<text class="t"[^>]*>(\w+)<', CHART)
    assert drawn == [stage.__name__ for stage in STAGES]


def test_its_folders_are_those_of_the_package() -> None:
    folders = set(re.findall(r">(\w+)/", CHART))
    assert {"server", "routing", "dialects", "ledger"} <= folders
    assert {folder for folder in folders if not (ROOT / "gaiarouter" / folder).is_dir()} == set()


def test_it_loads_nothing_from_elsewhere() -> None:
    assert re.findall(r"(?:href|src)=|url\((?!#)", CHART) == []
