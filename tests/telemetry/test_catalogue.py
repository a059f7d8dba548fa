"""The catalogue is what a scrape shows and what the page says, by Prometheus' conventions."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from gaiarouter.telemetry import Metrics
from gaiarouter.telemetry.catalogue import CATALOGUE, LABELS, PREFIX, Declared

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
EACH = pytest.mark.parametrize("declared", CATALOGUE.values(), ids=CATALOGUE)
OTHER_UNITS = re.compile(r"_(ms|us|ns|milliseconds|microseconds|minutes|kb|mb|kilobytes|cents|percent)(_|$)")


def test_the_page_is_written_from_it() -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "update_metrics_page.py"))
    assert script["with_catalogue"](PAGE) == PAGE, "run python .ci/update_metrics_page.py"


def test_a_scrape_shows_what_it_declares_and_nothing_else() -> None:
    shown = {_name(family): (family.type, family.documentation) for family in Metrics().registry.collect()}
    assert shown == {PREFIX + each.name: (each.kind, each.meaning) for each in CATALOGUE.values()}


def test_every_label_has_its_values_and_every_value_a_label() -> None:
    assert {label for each in CATALOGUE.values() for label in each.labels} == LABELS.keys()
    assert not LABELS.keys() & {"key", "organization", "user", "request_id", "le", "quantile", "job", "instance"}


@EACH
def test_names_are_as_prometheus_has_them(declared: Declared) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", declared.name)
    assert (declared.kind == "counter") == declared.name.endswith("_total")
    assert not OTHER_UNITS.search(declared.name), "base units: seconds, bytes, dollars"
    if declared.kind == "histogram":
        assert declared.name.endswith("_seconds")
        assert list(declared.buckets) == sorted(declared.buckets)
    assert declared.meaning.endswith(".")
    assert all(re.fullmatch("[a-z_]+", label) for label in declared.labels)


def _name(family: Metric) -> str:
    """The library cuts `_total` off a counter's name."""
    return f"{family.name}_total" if family.type == "counter" else family.name
