"""config/prometheus: right by promtool, true to the metrics there are, and every alert can fire and be quiet."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.promql import ROOT, declared, level, wrong_in

FOLDER = ROOT / "config" / "prometheus"
RECORDING, ALERTING = (
    [rule for group in yaml.safe_load((FOLDER / name).read_text())["groups"] for rule in group["rules"]]
    for name in ("recording.rules.yml", "alerts.rules.yml")
)
KNOWN = declared() | {rule["record"]: level(rule["record"]) for rule in RECORDING}
PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


def _said(promtool: Path, *arguments: str, folder: Path = FOLDER) -> tuple[int, str]:
    done = subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def _names(rules: Iterable[dict[str, Any]]) -> list[str]:
    return [rule["alert"] for rule in rules]


def test_promtool_takes_the_configuration_and_all_rules(promtool: Path) -> None:
    code, said = _said(promtool, "check", "config", "--lint-fatal", "prometheus.yml")
    assert code == 0, said
    assert re.findall(r"(\d+) rules found", said) == [str(len(RECORDING)), str(len(ALERTING))]


@pytest.mark.parametrize("rule", [*RECORDING, *ALERTING], ids=lambda rule: rule.get("record") or rule["alert"])
def test_a_rule_names_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    assert list(wrong_in(rule["expr"], KNOWN)) == []


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("rate(gaiarouter_request_total[5m])", ["there is no metric gaiarouter_request_total"]),
        ('gaiarouter_shed_total{why="full"}', ["gaiarouter_shed_total has no label why"]),
        ("sum by (key) (gaiarouter_shed_total)", ["no metric here has the label key"]),
        ("gaiarouter_overhead_seconds", ["there is no metric gaiarouter_overhead_seconds"]),
        ('sum by (le) (rate(gaiarouter_overhead_seconds_bucket{le="1"}[1m] offset 1h)) or vector(0) > bool 1', []),
        ('label_replace(up, "from", "$1", "job", "(.*)") / on (from) gaiarouter_fallbacks_total', []),
    ],
)
def test_a_wrong_name_is_seen(query: str, wrong: list[str]) -> None:
    assert list(wrong_in(query, declared())) == wrong


def test_a_recorded_name_says_its_labels() -> None:
    for rule in RECORDING:
        for labels in re.findall(r"sum by \(([^)]*)\)", rule["expr"]):
            assert {label.strip() for label in labels.split(",")} - {"le"} == level(rule["record"]), rule["record"]


def test_every_alert_is_raised_and_stays_quiet_as_its_tests_say(promtool: Path) -> None:
    code, said = _said(promtool, "test", "rules", "alerts.test.yml")
    assert code == 0, said


@pytest.mark.parametrize("instead", ["vector(0) > 1", "vector(1) > 0"], ids=["never", "always"])
def test_every_alert_s_tests_fail_when_it_is_broken(promtool: Path, tmp_path: Path, instead: str) -> None:
    rules = yaml.safe_load((FOLDER / "alerts.rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule |= {"expr": instead, "annotations": {}}
    (tmp_path / "alerts.rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "recording.rules.yml").write_text("groups: []\n")
    tests = (FOLDER / "alerts.test.yml").read_text()
    (tmp_path / "alerts.test.yml").write_text(tests.replace("evaluation_interval: 1m", "evaluation_interval: 5m"))
    code, said = _said(promtool, "test", "rules", "alerts.test.yml", folder=tmp_path)
    assert code == 1
    assert set(re.findall(r'expr: "ALERTS\{alertname=\\"(\w+)', said)) == set(_names(ALERTING))


def test_an_alert_says_what_it_is_how_bad_and_what_to_do() -> None:
    for rule in ALERTING:
        annotations = rule["annotations"]
        assert annotations.keys() == {"summary", "description", "runbook_url"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert len(annotations["summary"]) < 100
        assert len(annotations["description"]) > len(annotations["summary"])


def test_what_an_alert_tells_of_is_among_its_labels() -> None:
    tests = (FOLDER / "alerts.test.yml").read_text()
    for rule in ALERTING:
        told = {label for text in rule["annotations"].values() for label in re.findall(r"\$labels\.(\w+)", text)}
        fired = re.search(rf"labels: 'ALERTS\{{alertname=\"{rule['alert']}\"(.*)\}}'", tests)
        assert fired is not None
        assert told <= set(re.findall(r"(\w+)=", fired[1])), rule["alert"]


def test_every_alert_has_its_paragraph_and_every_paragraph_its_alert() -> None:
    headings = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)
    assert headings == _names(ALERTING)
    for rule in ALERTING:
        assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{rule['alert'].lower()}"
