"""The chart says what the table says."""

from __future__ import annotations

from xml.etree import ElementTree

from bench import chart, report
from bench.report import Metric

METRICS = [
    Metric("a", "an <a>, µs", must=1.3, aim=0.6),
    Metric("b", "a b, MB", must=90, aim=60, relative=False),
    Metric("c", "a c, µs", must=2, aim=1),
]
ROUNDS = {
    "floor": {"a": [10.0], "b": [40.0], "c": [2.0]},
    "nginx": {"a": [1.0], "b": [20.0], "c": [1.0]},
    "gateway": {"a": [12.0], "b": [70.0], "c": [9.0]},
}


def drawn() -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg(report.rows(ROUNDS, METRICS), ["gateway", "floor", "nginx"]))


def words() -> list[str]:
    return [text.text or "" for text in drawn().iter("{http://www.w3.org/2000/svg}text")]


def test_every_relative_row_has_a_bar_of_each_subject() -> None:
    assert [word for word in words() if word.replace(".", "").isdigit()] == ["1.20", "0.10", "4.50", "0.50"]
    assert "an <a>, µs" in words()
    assert "a b, MB" not in words()


def test_a_bar_is_as_long_as_its_ratio_and_never_leaves_the_picture() -> None:
    root = drawn()
    right = float(root.attrib["viewBox"].split()[2])
    bars = [
        e
        for e in root.iter("{http://www.w3.org/2000/svg}rect")
        if e.get("fill", "").startswith("#") and e.get("x") == "300"
    ]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert widths[0] > widths[3] > widths[1]
    assert all(300 + width <= right for width in widths)


def test_no_line_crosses_a_number() -> None:
    root = drawn()
    paths = root.iter("{http://www.w3.org/2000/svg}path")
    lines = [float(path.attrib["d"].removeprefix("M").split()[0]) for path in paths]
    numbers = [text for text in root.iter("{http://www.w3.org/2000/svg}text") if "." in (text.text or "")]
    assert (len(lines), len(numbers)) == (5, 4)
    assert {text.attrib["text-anchor"] for text in numbers} == {"end"}
    assert max(float(text.attrib["x"]) for text in numbers) < min(lines)


def test_a_curve_goes_through_its_points_and_its_axes_begin_at_nothing() -> None:
    root = ElementTree.fromstring(chart.curve([(0, 70), (30, 140), (60, 0)], x_title="minutes", y_title="<MiB>"))
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, each.split(","))) for each in line.attrib["points"].split()]
    (left, high), (middle, highest), (right, bottom) = points
    assert left < middle < right < float(root.attrib["viewBox"].split()[2])
    assert middle - left == right - middle
    assert highest < high < bottom
    assert abs((bottom - high) * 2 - (bottom - highest)) < 0.2
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0", "12", "60", "30", "150", "minutes", "<MiB>"} <= {*texts}
