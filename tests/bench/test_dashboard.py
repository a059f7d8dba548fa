"""The picture of the dashboard: every panel asks its own queries and is drawn; the faults of its providers."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.dashboard import chart, picture
from bench.dashboard.__main__ import FAULTS, ROOT, fault_at, scrape, table
from bench.dashboard.grafana import FILE
from bench.dashboard.prometheus import Prometheus
from bench.dashboard.units import UNITS
from gaiarouter.config.loader import load
from gaiarouter.providers import known_kinds

PANELS = [panel for panel in json.loads(FILE.read_text())["panels"] if panel["type"] != "row"]
LABELS = {"provider": "a&b", "model": "<m>", "route": "gpt-*", "instance": "h:1", "code": "ok", "version": "0"}


class Scripted(Prometheus):
    """Answers every query with one series; none for `silent`."""

    def __init__(self, *, silent: str = "nothing") -> None:
        super().__init__("prometheus", Path("x.yml"), Path("data"), 1)
        self.asked: list[str] = []
        self._silent = silent

    def _ask(self, what: str, **about: object) -> Any:
        self.asked.append(str(about["query"]))
        if self._silent in self.asked[-1]:
            return []
        if what == "query":
            return [{"metric": LABELS, "value": [600, "3.5"]}]
        return [{"metric": LABELS, "values": [[0, "0"], [300, "NaN"], [450, "1"], [600, "1"]]}]


@pytest.fixture
def drawn() -> tuple[Scripted, str]:
    prometheus = Scripted(silent="gaiarouter_shed_total")
    return prometheus, picture.draw(prometheus, 600.0, 600.0)


def test_every_panel_asks_its_own_queries_and_is_drawn(drawn: tuple[Scripted, str]) -> None:
    prometheus, page = drawn
    assert len(prometheus.asked) == sum(len(panel["targets"]) for panel in PANELS)
    assert [query for query in prometheus.asked if "$" in query] == []
    assert page.count('<div class="panel"') == len(PANELS)
    assert page.count("no data") == 1, "that of what is shed"


def test_the_pictures_are_well_formed_and_names_are_escaped(drawn: tuple[Scripted, str]) -> None:
    _, page = drawn
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == len([panel for panel in PANELS if panel["type"] != "table"]) - 1
    for each in pictures:
        ElementTree.fromstring(each)
    assert "a&amp;b" in page
    assert "<m>" not in page


def test_series_stand_on_one_another() -> None:
    (_, lower, ground), (_, upper, floor) = chart._stacked([("a", [(0, 1.0), (1, 2.0)]), ("b", [(1, 5.0)])])
    assert ground == [(0, 0.0), (1, 0.0)]
    assert lower == floor == [(0, 1.0), (1, 2.0)]
    assert upper == [(0, 1.0), (1, 7.0)]


def test_states_are_runs_of_the_same_value() -> None:
    assert chart._runs([(0, 1.0), (5, 1.0), (10, 2.0)], 20.0) == [(0, 10, 1.0), (10, 20.0, 2.0)]


def test_every_unit_shows_nothing_as_nothing() -> None:
    assert {unit: show(0) for unit, show in UNITS.items()} == {
        "short": "0",
        "none": "0",
        "reqps": "0 req/s",
        "percentunit": "0 %",
        "s": "0 ms",
        "decbytes": "0 B",
        "currencyUSD": "$0",
    }


def test_the_run_s_table_is_right_and_its_faults_meet_providers_of_it(tmp_path: Path) -> None:
    file = tmp_path / "gaiarouter.yaml"
    file.write_text(json.dumps(table(tmp_path, 1234, 8000)))
    loaded = load(file, known_kinds=known_kinds())
    assert loaded.errors == ()
    assert loaded.settings is not None
    assert {whose for _, _, whose in FAULTS.values()} <= loaded.settings.providers.keys()
    for name, (begin, end, whose) in FAULTS.items():
        assert fault_at(partial(float, begin))(whose) == name, "it begins"
        assert fault_at(partial(float, end))(whose) is None, "it ends"


def test_prometheus_is_given_the_shipped_rules(tmp_path: Path) -> None:
    said = scrape(tmp_path, [1, 2]).read_text()
    assert str(ROOT / "config" / "prometheus" / "alerts.rules.yml") in said
    assert "127.0.0.1:2" in said
