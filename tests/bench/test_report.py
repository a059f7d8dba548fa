"""The benchmark's arithmetic: medians, ratios round by round, verdicts, the table."""

from __future__ import annotations

import pytest

from bench import report
from bench.report import METRICS, Metric

RELATIVE = Metric("x", "an x, µs", must=1.3, aim=0.6)
ABSOLUTE = Metric("x", "an x, MB", must=90, aim=60, relative=False)


@pytest.mark.parametrize(
    ("values", "floor", "ratio"),
    [
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], 2.0),
        ([1.0, 30.0, 3.0], [1.0, 10.0, 1.0], 3.0),  # a slow round counts as any other
        ([1.0, 4.0], [1.0, 2.0], 1.5),
        ([5.0, 6.0, 7.0], [-1.0, 2.0, 7.0], 2.0),  # nothing can be compared with a floor below zero
        ([5.0, 6.0, 7.0], [-1.0, 0.0, 7.0], None),
        ([-1.0, -1.0], [2.0, 2.0], -0.5),
    ],
)
def test_the_ratio_is_the_median_of_the_rounds(values: list[float], floor: list[float], ratio: float | None) -> None:
    assert report.median_ratio(values, floor) == ratio


@pytest.mark.parametrize(
    ("metric", "value", "verdict"),
    [
        (RELATIVE, 0.6, "aim"),
        (RELATIVE, 0.61, "must"),
        (RELATIVE, 1.3, "must"),
        (RELATIVE, 1.31, "MISSED"),
        (RELATIVE, None, "-"),
        (ABSOLUTE, 60.0, "aim"),
        (ABSOLUTE, 91.0, "MISSED"),
    ],
)
def test_the_verdict_names_the_goal_that_is_met(metric: Metric, value: float | None, verdict: str) -> None:
    assert report.verdict(metric, value) == verdict


def test_a_row_judges_the_ratio_or_the_value_as_its_metric_says() -> None:
    rounds = {"floor": {"x": [10.0, 30.0, 20.0]}, "gateway": {"x": [10.0, 60.0, 20.0]}}
    (relative,) = report.rows(rounds, [RELATIVE])
    assert (relative.medians, relative.ratio) == ({"floor": 20.0, "gateway": 20.0}, 1.0)
    assert relative.verdict == "must"
    (absolute,) = report.rows(rounds, [ABSOLUTE])
    assert absolute.verdict == "aim"


def test_what_was_not_measured_is_no_row() -> None:
    assert report.rows({"floor": {"x": []}, "gateway": {}}, [RELATIVE]) == []


def test_the_table_has_a_column_for_each_subject_and_lines_up() -> None:
    rounds = {"floor": {"x": [1000.0]}, "gateway": {"x": [500.0]}}
    lines = report.table(report.rows(rounds, [RELATIVE]), ["floor", "gateway"]).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        *("an x, µs", "1,000", "500", "0.50", "1.3x", "0.6x", "aim"),
    ]
    assert {len(line) for line in lines} == {len(lines[0])}


def test_every_goal_asks_more_of_the_aim_than_of_the_must() -> None:
    assert all(metric.aim <= metric.must for metric in METRICS)
    assert len({metric.key for metric in METRICS}) == len(METRICS)
