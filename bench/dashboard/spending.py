"""`python -m bench.dashboard.spending` writes config/grafana/dashboards/spending.json: who spends, from PostgreSQL.

Organizations and keys are no labels of any metric, so that this is asked of the store's own sums. Only what reader.sql
lets Grafana read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.dashboard.grafana import ALWAYS, OPTIONS, at, defaults
from bench.dashboard.panels import WIDE, Panel

FILE: Final = Path(__file__).parents[2] / "config" / "grafana" / "dashboards" / "spending.json"
SOURCE: Final = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
ORGANIZATION: Final = "coalesce(nullif(o.name, ''), nullif(u.organization, ''), 'none')"
KEY: Final = "coalesce(nullif(k.name, ''), nullif(u.key, ''), 'none')"
FROM: Final = (
    "from usage_stats u left join organizations o on o.id = u.organization left join api_keys k on k.id = u.key "
    "where u.hour_us >= $__unixEpochFrom()::bigint * 1000000 and u.hour_us < $__unixEpochTo()::bigint * 1000000 "
    "and u.organization in ($organization)"
)
COST: Final = "sum(u.cost_nano_usd) / 1e9"
READ: Final = "sum(u.in_uncached + u.in_cache_read + u.in_cache_write + u.in_tool)"
WRITTEN: Final = "sum(u.out_visible + u.out_reasoning)"


@dataclass(frozen=True, slots=True)
class Question:
    """panel: its queries are SQL."""

    panel: Panel
    height: int


def _total(title: str, about: str, value: str, unit: str) -> Question:
    panel = Panel("stat", title, about, ((f"select {value} as value {FROM}", ""),), unit, width=WIDE // 4)
    return Question(panel, 4)


def _over_time(title: str, about: str, what: str, width: int = WIDE // 2) -> Question:
    sql = (
        f'select to_timestamp(u.hour_us / 1000000) as "time", {what} as metric, {COST} as value {FROM} '
        "group by 1, 2 order by 1"
    )
    return Question(Panel("timeseries", title, about, ((sql, ""),), "currencyUSD", width=width, stacked=True), 8)


def _table(title: str, about: str, columns: str, count: int) -> Question:
    groups = ", ".join(str(number) for number in range(1, count + 1))
    sql = (
        f'select {columns}, sum(u.requests) as requests, sum(u.errors) as errors, {READ} as "tokens read", '
        f'{WRITTEN} as "tokens written", {COST} as "US dollars", sum(u.unpriced) as unpriced {FROM} '
        f'group by {groups} order by "US dollars" desc limit 200'
    )
    return Question(Panel("table", title, about, ((sql, ""),), "short", width=WIDE // 2, decimals=2), 9)


QUESTIONS: Final = (
    _total("Cost", "US dollars in this time.", COST, "currencyUSD"),
    _total("Requests", "In this time.", "sum(u.requests)", "short"),
    _total("Tokens", "Read and written in this time.", f"{READ} + {WRITTEN}", "short"),
    _total("Without a price", "Answers that are in no cost: give their models prices.", "sum(u.unpriced)", "short"),
    _over_time("Cost an hour by organization", "US dollars.", ORGANIZATION),
    _over_time("Cost an hour by route", "US dollars.", "coalesce(nullif(u.route, ''), 'none')"),
    _table("Organizations", "Of this time, the dearest first.", f"{ORGANIZATION} as organization", 1),
    _table("Keys", "Of this time, the dearest first.", f"{KEY} as key, {ORGANIZATION} as organization", 2),
    _table("Routes", "Of this time, the dearest first.", "u.route as route", 1),
    _table("Models", "Of this time, the dearest first.", "u.provider as provider, u.model as model", 2),
)


def dashboard() -> dict[str, Any]:
    return {
        "uid": "gaiarouter-spending",
        "title": "GaiaRouter: who spends",
        "description": "Cost and tokens by organization, key, route and model. Written by bench/dashboard/spending.py.",
        **ALWAYS,
        "refresh": "5m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }


def _variables() -> Iterable[dict[str, Any]]:
    kind = SOURCE["type"]
    yield {"name": "datasource", "label": "PostgreSQL", "type": "datasource", "query": kind, "current": {}}
    query = "select 'none' as __text, '' as __value union all select name, id from organizations order by 1"
    yield {
        "name": "organization",
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panels() -> Iterable[dict[str, Any]]:
    x, y = 0, 0
    for number, question in enumerate(QUESTIONS, start=1):
        panel = question.panel
        yield {"id": number, **_in_grafana(panel)} | at(x, y, panel.width, question.height)
        x += panel.width
        if x == WIDE:
            x, y = 0, y + question.height


def _in_grafana(panel: Panel) -> dict[str, Any]:
    ((sql, _),) = panel.queries
    target = {
        "refId": "A",
        "datasource": SOURCE,
        "format": "time_series" if panel.kind == "timeseries" else "table",
        "editorMode": "code",
        "rawQuery": True,
        "rawSql": sql,
    }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": [target],
        "fieldConfig": {"defaults": defaults(panel), "overrides": []},
        **OPTIONS[panel.kind],
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
