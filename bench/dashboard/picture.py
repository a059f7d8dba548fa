"""The dashboard's own JSON, drawn: each panel asks Prometheus its own queries, and becomes SVG on one page.

It stands in for Grafana where there is none. Drawn is what the panels here use of Grafana's model: numbers, lines
(stacked or not), states and a table.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from html import escape
from pathlib import Path
from typing import Any, Final

from bench.dashboard import chart
from bench.dashboard.grafana import FILE
from bench.dashboard.prometheus import Prometheus, Series
from bench.dashboard.units import UNITS

COLUMN, ROW, GAP = 54, 29, 8
WIDTH: Final = 24 * COLUMN
STEPS: Final = 150
STYLE: Final = """
body{margin:0;background:#f4f5f5;font:12px 'DejaVu Sans',sans-serif;color:#24292e;position:relative}
.panel{position:absolute;background:#fff;border:1px solid #dcdee3;border-radius:3px;box-sizing:border-box;
padding:6px 10px;overflow:hidden}
.panel h2{font-size:12px;font-weight:600;margin:0 0 3px}
.row{position:absolute;font-size:14px;font-weight:600;padding-top:8px}
.big{font-size:27px;font-weight:500;position:absolute;left:10px;bottom:26px}
table{border-collapse:collapse;width:100%;font-size:11px}
th,td{text-align:right;padding:3px 6px;border-bottom:1px solid #eceef1}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
.none{text-align:center;color:#9aa0a8;padding-top:12px}
.legend{position:absolute;left:10px;right:6px;bottom:4px;font-size:10px;line-height:14px;max-height:28px;overflow:hidden}
.legend i{display:inline-block;width:9px;height:4px;margin:0 4px 2px 0;border-radius:2px}
.legend span{margin-right:10px;white-space:nowrap}
"""


class Drawing:
    """begin, end: seconds since 1970."""

    def __init__(self, prometheus: Prometheus, begin: float, end: float) -> None:
        self._prometheus = prometheus
        self._begin = begin
        self._end = end
        window = f"{round(end - begin)}s"
        self._variables = {"job": "gaiarouter", "instance": ".*", "route": ".*", "__range": window}
        self._variables["__rate_interval"] = "1m"

    def _query(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self._variables[found[1]], text)

    def panel(self, panel: dict[str, Any]) -> str:
        place = panel["gridPos"]
        left, top = place["x"] * COLUMN + GAP // 2, place["y"] * ROW
        width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
        box = f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"
        if panel["type"] == "row":
            return f'<div class="row" style="{box}">{escape(panel["title"])}</div>'
        inside = self._inside(panel, width - 22, height)
        return f'<div class="panel" style="{box}"><h2>{escape(panel["title"])}</h2>{inside}</div>'

    def _inside(self, panel: dict[str, Any], width: int, height: int) -> str:
        if panel["type"] == "table":
            return self._table(panel)
        series = [
            (_legend(target["legendFormat"], each), each.points)
            for target in panel["targets"]
            for each in self._prometheus.range(
                self._query(target["expr"]), self._begin, self._end, (self._end - self._begin) / STEPS
            )
            if each.points
        ]
        if not series:
            return '<div class="none">no data</div>'
        defaults = panel["fieldConfig"]["defaults"]
        span = (self._begin, self._end)
        match panel["type"]:
            case "stat":
                return chart.number(series, defaults, span, width, height)
            case "state-timeline":
                return chart.states(series, defaults, span, width, height - 24)
            case _:
                return chart.lines(series, defaults, span, width, height - 24)

    def _table(self, panel: dict[str, Any]) -> str:
        names = [target["legendFormat"] for target in panel["targets"]]
        rows: dict[tuple[str, ...], dict[str, float]] = {}
        for target in panel["targets"]:
            for each in self._prometheus.instant(self._query(target["expr"]), self._end):
                key = tuple(each.labels.get(label, "") for label in ("provider", "model"))
                rows.setdefault(key, {})[target["legendFormat"]] = each.points[0][1]
        first = panel["options"]["sortBy"][0]["displayName"]
        ordered = sorted(rows.items(), key=lambda row: -row[1].get(first, 0))
        head = "".join(f"<th>{escape(name)}</th>" for name in ("provider", "model", *names))
        body = "".join(
            "<tr>"
            + "".join(f"<td>{escape(text)}</td>" for text in key)
            + "".join(f"<td>{UNITS['short'](values[name]) if name in values else ''}</td>" for name in names)
            + "</tr>"
            for key, values in ordered
        )
        return f"<table><tr>{head}</tr>{body}</table>"


def _legend(text: str, series: Series) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: series.labels.get(found[1], ""), text)


def draw(prometheus: Prometheus, end: float, seconds: float) -> str:
    """The page, as HTML."""
    panels = json.loads(FILE.read_text(encoding="utf-8"))["panels"]
    drawing = Drawing(prometheus, end - seconds, end)
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * ROW
    inside = "".join(drawing.panel(panel) for panel in panels)
    return (
        f'<!doctype html><meta charset="utf-8"><title>GaiaRouter</title><style>{STYLE}</style>'
        f'<body style="width:{WIDTH}px;height:{height}px">{inside}</body>'
    )


def photograph(page: str, to: Path, *, keep: Path | None = None) -> None:
    """With Chromium, which must be on the PATH; `pngquant` makes it half as large."""
    size = re.search(r'<body style="width:(\d+)px;height:(\d+)px"', page)
    assert size is not None
    with tempfile.TemporaryDirectory() as folder:
        file = keep or Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size={size[1]},{size[2]}", f"--screenshot={to}"]
        subprocess.run([*command, file.resolve().as_uri()], check=True, capture_output=True, timeout=120)
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--strip", "--output", str(to), "64", str(to)], check=True)
