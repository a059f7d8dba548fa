"""`python -m bench.dashboard.grafana` writes config/grafana/dashboards/gaiarouter.json from panels.py."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bench.dashboard.panels import GREEN, RED, ROWS, WIDE, YELLOW, Panel

FILE: Final = Path(__file__).parents[2] / "config" / "grafana" / "dashboards" / "gaiarouter.json"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
HEIGHTS: Final = {"stat": 4, "timeseries": 8, "state-timeline": 8, "table": 8}
LOW: Final = ("Instances", "Configuration in force", "Database")


ALWAYS: Final[dict[str, Any]] = {
    "tags": ["gaiarouter"],
    "schemaVersion": 39,
    "version": 1,
    "editable": True,
    "graphTooltip": 1,
    "timezone": "browser",
}
"""What both dashboards say alike."""


def dashboard() -> dict[str, Any]:
    return {
        "uid": "gaiarouter",
        "title": "GaiaRouter",
        "description": "What the gateway does, costs and suffers. Written by python -m bench.dashboard.grafana.",
        **ALWAYS,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(variables())},
        "annotations": {"list": [alerts_as_annotations()]},
        "panels": list(panels()),
    }


def variables() -> Iterable[dict[str, Any]]:
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}
    yield variable("job", "label_values(gaiarouter_requests_in_flight, job)", many=False)
    yield variable("instance", 'label_values(up{job="$job"}, instance)')
    yield variable("route", 'label_values(gaiarouter_requests_total{job="$job"}, route)')


def variable(name: str, query: str, *, many: bool = True) -> dict[str, Any]:
    chosen = {"current": {"text": "All", "value": "$__all"}, "allValue": ".*"} if many else {"current": {}}
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "variable"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": many,
        "includeAll": many,
        **chosen,
    }


def alerts_as_annotations() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": RED,
        "expr": 'ALERTS{alertname=~"GaiaRouter.*", alertstate="firing", severity="critical"}',
        "titleFormat": "{{alertname}}",
    }


def panels() -> Iterable[dict[str, Any]]:
    number, y = 0, 0
    for title, row in ROWS.items():
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": []} | at(0, y, WIDE, 1)
        x, y, height = 0, y + 1, 0
        for panel in row:
            number += 1
            if x + panel.width > WIDE:
                x, y = 0, y + height
            height = 5 if panel.title in LOW else HEIGHTS[panel.kind]
            yield {"id": number, **in_grafana(panel)} | at(x, y, panel.width, height)
            x += panel.width
        y += height


def at(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"gridPos": {"x": x, "y": y, "w": width, "h": height}}


def in_grafana(panel: Panel) -> dict[str, Any]:
    at_once = panel.kind == "table"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
                "instant": at_once,
                "range": not at_once,
                "format": "table" if at_once else "time_series",
            }
            for number, (query, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": defaults(panel), "overrides": []},
        **OPTIONS[panel.kind],
        **(as_one_table(panel) if at_once else {}),
    }


LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True}
OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {
        "options": {
            "colorMode": "value",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "values": False},
        }
    },
    "timeseries": {"options": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}},
    "state-timeline": {"options": {"legend": LEGEND, "mergeValues": True, "rowHeight": 0.8, "showValue": "auto"}},
    "table": {"options": {"showHeader": True, "sortBy": [{"displayName": "US dollars", "desc": True}]}},
}


def defaults(panel: Panel) -> dict[str, Any]:
    made: dict[str, Any] = {"unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"}}
    if panel.decimals is not None:
        made["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        made["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never",
            "spanNulls": 60000,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.limits else "off"},
        }
    if panel.kind in ("stat", "state-timeline"):
        made["color"] = {"mode": "thresholds"}
    yellow, red = panel.limits or (None, None)
    made["thresholds"] = {"mode": "absolute", "steps": [{"value": None, "color": GREEN}]}
    if panel.limits:
        made["thresholds"]["steps"] += [{"value": yellow, "color": YELLOW}, {"value": red, "color": RED}]
    if panel.words:
        shown = {value: {"text": text, "color": color} for value, (text, color) in panel.words.items()}
        made["mappings"] = [{"type": "value", "options": shown}]
    return made


def as_one_table(panel: Panel) -> dict[str, Any]:
    """The queries side by side, in rows of the same labels."""
    names = {f"Value #{chr(ord('A') + number)}": legend for number, (_, legend) in enumerate(panel.queries)}
    return {
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
        ]
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
