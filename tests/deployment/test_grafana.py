"""The dashboard: every query names what there is and is well formed, and its JSON is the table's."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.dashboard import grafana
from bench.dashboard.panels import WIDE
from bench.dashboard.units import UNITS, ticks
from tests.deployment.promql import ROOT, declared, level, wrong_in

FOLDER = ROOT / "config" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboards" / "gaiarouter.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
RULES = yaml.safe_load((ROOT / "config" / "prometheus" / "recording.rules.yml").read_text())
OF_ALERTS = frozenset({"alertname", "alertstate", "severity", "job"})
KNOWN = (
    declared()
    | {rule["record"]: level(rule["record"]) for group in RULES["groups"] for rule in group["rules"]}
    | {"ALERTS": OF_ALERTS}
)
QUERIES = [
    *((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]),
    *(("annotations", each["expr"]) for each in DASHBOARD["annotations"]["list"]),
    *(
        (name, found[1])
        for name, variable in VARIABLES.items()
        if (found := re.fullmatch(r"label_values\((.*), \w+\)", variable.get("definition", "")))
    ),
]


def _plain(query: str) -> str:
    """With values in the places of variables."""
    return re.sub(r"\$\w+", lambda found: "1m" if found[0].startswith("$__") else "x", query)


def test_the_dashboard_is_what_its_table_says() -> None:
    assert (FOLDER / "dashboards" / "gaiarouter.json").read_text(encoding="utf-8") == grafana.text(), (
        "run python -m bench.dashboard.grafana"
    )


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_query_names_metrics_and_labels_that_there_are(title: str, query: str) -> None:
    assert list(wrong_in(_plain(query), KNOWN)) == []


def test_promtool_takes_every_query(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"panel_{number}", "expr": _plain(query)} for number, (_, query) in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(QUERIES)} rules found" in done.stdout


def test_a_legend_and_a_table_name_labels_that_their_query_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            kept = re.search(r"\bby \(([^)]*)\)", target["expr"])
            theirs = {label.strip() for label in kept[1].split(",")} if kept else {"instance", "route", "job"}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= theirs, panel["title"]


def test_every_variable_is_used_and_every_one_used_is_there() -> None:
    used = {name for _, query in QUERIES for name in re.findall(r"\$(\w+)", query)}
    used |= set(re.findall(r"\$\{(\w+)\}", json.dumps(DASHBOARD)))
    assert used - {"__rate_interval", "__range"} == VARIABLES.keys()
    assert list(VARIABLES) == ["datasource", "job", "instance", "route"]


def test_ids_are_unique_and_panels_do_not_overlap() -> None:
    assert Counter(panel["id"] for panel in DASHBOARD["panels"]).most_common(1)[0][1] == 1
    cells = Counter(
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )
    assert cells.most_common(1)[0][1] == 1
    assert max(x for x, _ in cells) == WIDE - 1


def test_every_panel_has_a_unit_a_description_and_the_data_source_of_the_variable() -> None:
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["description"]
        assert [target["datasource"] for target in panel["targets"]] == [grafana.SOURCE] * len(panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_what_a_panel_shows_as_a_word_is_every_value_of_its_metric() -> None:
    words = {panel["title"]: panel["fieldConfig"]["defaults"]["mappings"][0]["options"] for panel in PANELS
             if panel["type"] == "state-timeline"}  # fmt: skip
    assert {title: list(options) for title, options in words.items()} == {
        "Circuits": ["0", "1", "2"],
        "Instances": ["0", "1"],
        "Configuration in force": ["0", "1"],
        "Database": ["0", "1"],
    }


def test_panels_that_the_runbook_names_exist() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    titles = {panel["title"] for panel in PANELS}
    named = {re.sub(r"\s+", " ", found) for found in re.findall(r"\bpanels? \*([^*]+)\*", page)}
    assert named
    assert named <= titles


def test_grafana_is_told_where_the_data_source_and_the_dashboards_are() -> None:
    (source,) = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    (folder,) = yaml.safe_load((FOLDER / "provisioning" / "dashboards" / "gaiarouter.yml").read_text())["providers"]
    assert source["type"] == "prometheus"
    assert source["isDefault"] is True
    scrape = yaml.safe_load((ROOT / "config" / "prometheus" / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    assert folder["type"] == "file"


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("s", 0.0012, "1.2 ms"),
        ("s", 90, "1.5 min"),
        ("s", 0.00004, "40 µs"),
        ("percentunit", 0.0722, "7.22 %"),
        ("reqps", 1200, "1.2 K req/s"),
        ("decbytes", 5_000_000, "5 MB"),
        ("currencyUSD", 0.5, "$0.5"),
    ],
)
def test_a_value_is_shown_in_its_unit(unit: str, value: float, shown: str) -> None:
    assert UNITS[unit](value) == shown


@pytest.mark.parametrize(("most", "steps"), [(0, [0, 1]), (10, [0, 2.5, 5, 7.5, 10]), (0.7, [0, 0.2, 0.4, 0.6, 0.8])])
def test_an_axis_has_round_steps(most: float, steps: list[float]) -> None:
    assert ticks(most) == pytest.approx(steps)
