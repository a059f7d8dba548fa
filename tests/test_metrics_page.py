"""docs/metrics.md names every metric that a scrape shows, with its labels, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics_core import Metric

from gaiarouter.telemetry import OUTCOMES, Metrics, breaker_family, gauge_family, resting_family

PAGE = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
SCRAPED = ("breaker_state", "log_lines_dropped", "event_loop_tasks", "storage_away", "resting")


def test_the_page_has_every_metric_with_its_type_and_meaning() -> None:
    rows = {name: (kind, meaning) for name, kind, meaning in re.findall(r"\| `(\w+)` \| (\w+) \|.*\| (.+) \|", PAGE)}
    declared = {_name(family): (family.type, family.documentation) for family in Metrics().registry.collect()}
    assert {name: row for name, row in rows.items() if not name.endswith(SCRAPED)} == declared


def test_the_page_has_what_is_read_at_a_scrape() -> None:
    assert f"| {breaker_family(()).documentation} |" in PAGE
    assert f"| {resting_family((), ()).documentation} |" in PAGE
    for name in SCRAPED[1:]:
        assert f"`{gauge_family(f'gaiarouter_{name}', '', 0).name}` | gauge" in PAGE


def test_the_page_has_every_outcome() -> None:
    listed = PAGE.partition("`outcome` is one of")[2].partition(".")[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == OUTCOMES


def _name(family: Metric) -> str:
    """The library cuts `_total` off a counter's name."""
    return f"{family.name}_total" if family.type == "counter" else family.name
