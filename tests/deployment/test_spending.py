"""The dashboard of spending: its SQL runs on a real PostgreSQL, as the role that Grafana gets, and adds up right."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from bench.dashboard import spending
from gaiarouter.config.secret import Secret
from gaiarouter.store import open_database
from tests.deployment.promql import ROOT
from tests.store.postgres_server import PostgresServer

FOLDER = ROOT / "config" / "grafana"
READER = FOLDER / "sql" / "reader.sql"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboards" / "spending.json").read_text(encoding="utf-8"))
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
HOUR = 1_800_000_000 // 3600 * 3600
COLUMNS = (
    *("hour_us", "organization", "key", "route", "model", "provider", "status_class", "requests", "errors", "unpriced"),
    *("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning", "cost_nano_usd"),
)
BUCKETS = tuple(f"{letter}{number}" for letter in "df" for number in range(16))
ROWS = [
    (0, "org_a", "key_1", "gpt-*", "gpt-4.1", "openai", 2, 10, 0, 0, 1000, 500, 0, 0, 200, 50, 3_000_000_000),
    (1, "org_a", "key_2", "fast", "llama", "groq", 2, 4, 1, 2, 100, 0, 0, 0, 20, 0, 500_000_000),
    (1, "", "key_3", "gpt-*", "gpt-4.1", "openai", 5, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    (-9, "org_a", "key_1", "gpt-*", "gpt-4.1", "openai", 2, 99, 0, 0, 9, 9, 9, 9, 9, 9, 9_000_000_000),
]
"""The first column: hours after the beginning of what the dashboard shows. The last row is before it."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a store with these rows, as Grafana reaches it: the role was made by the shipped statements, twice."""
    server = PostgresServer()
    try:
        server.start()
        with ThreadPoolExecutor(1) as thread:  # the tests have a loop of their own
            thread.submit(asyncio.run, _fill(server.url)).result()
        command = [str(server.psql), server.url, "--quiet", "--set", "ON_ERROR_STOP=1", "--set", "password=it's"]
        for _ in range(2):
            done = subprocess.run([*command, "--file", str(READER)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        yield server.url.replace("gaia@", "gaiarouter_reader@")
    finally:
        server.remove()


@pytest.fixture
async def reader(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def _fill(url: str) -> None:
    database = open_database(Secret(url))
    await database.open(migrate=True)
    await database.close()
    owner = await asyncpg.connect(url)
    await owner.execute(
        "insert into organizations (id, name, created_us, updated_us, status) values ('org_a', 'Acme', 0, 0, 'active')"
    )
    await owner.execute(
        "insert into api_keys (id, name, secret_hash, created_us, permissions, inference, organization)"
        " values ('key_1', 'ci', 'x', 0, '[]', true, 'org_a')"
    )
    places = ", ".join([*(f"${number + 1}" for number in range(len(COLUMNS))), *["0"] * len(BUCKETS)])
    statement = f"insert into usage_stats ({', '.join(COLUMNS + BUCKETS)}) values ({places})"
    await owner.executemany(statement, [((HOUR + hour * 3600) * 1_000_000, *rest) for hour, *rest in ROWS])
    await owner.close()


def _sql(title: str) -> str:
    """As Grafana sends it: macros and variables replaced."""
    sql: str = PANELS[title]["targets"][0]["rawSql"]
    sql = sql.replace("$__unixEpochFrom()", str(HOUR)).replace("$__unixEpochTo()", str(HOUR + 7200))
    return sql.replace("$organization", "'','org_a'")


def test_the_dashboard_is_what_its_table_says() -> None:
    kept = (FOLDER / "dashboards" / "spending.json").read_text(encoding="utf-8")
    assert kept == spending.text(), "run python -m bench.dashboard.spending"


@pytest.mark.parametrize(
    ("title", "rows"),
    [
        ("Cost", [(3.5,)]),
        ("Requests", [(15,)]),
        ("Tokens", [(1870,)]),
        ("Without a price", [(2,)]),
        ("Organizations", [("Acme", 14, 1, 1600, 270, 3.5, 2), ("none", 1, 1, 0, 0, 0, 0)]),
        (
            "Keys",
            [
                ("ci", "Acme", 10, 0, 1500, 250, 3, 0),
                ("key_2", "Acme", 4, 1, 100, 20, 0.5, 2),
                ("key_3", "none", 1, 1, 0, 0, 0, 0),
            ],
        ),
        ("Routes", [("gpt-*", 11, 1, 1500, 250, 3, 0), ("fast", 4, 1, 100, 20, 0.5, 2)]),
        ("Models", [("openai", "gpt-4.1", 11, 1, 1500, 250, 3, 0), ("groq", "llama", 4, 1, 100, 20, 0.5, 2)]),
    ],
)
async def test_a_panel_adds_up(reader: Any, title: str, rows: list[tuple[Any, ...]]) -> None:
    assert [tuple(row) for row in await reader.fetch(_sql(title))] == rows


async def test_cost_over_time_is_told_by_the_hour(reader: Any) -> None:
    for title, names in (("Cost an hour by organization", ["Acme", "Acme", "none"]), ("Cost an hour by route", None)):
        rows = await reader.fetch(_sql(title))
        assert [list(row.keys()) for row in rows] == [["time", "metric", "value"]] * 3
        assert sum(row["value"] for row in rows) == 3.5
        assert names is None or sorted(row["metric"] for row in rows) == names
        assert {row["time"].timestamp() for row in rows} == {HOUR, HOUR + 3600}


async def test_the_variable_names_every_organization(reader: Any) -> None:
    (query,) = (each["query"] for each in DASHBOARD["templating"]["list"] if each["name"] == "organization")
    assert [tuple(row) for row in await reader.fetch(query)] == [("Acme", "org_a"), ("none", "")]


@pytest.mark.parametrize(
    "forbidden",
    [
        "select secret_hash from api_keys",
        "select * from organizations",
        "select 1 from usage_records",
        "select 1 from audit_log",
        "delete from usage_stats",
    ],
)
async def test_grafana_reads_nothing_else_and_writes_nothing(reader: Any, forbidden: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
        await reader.fetch(forbidden)


def test_ids_units_and_sources_are_sound() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(PANELS) == len(DASHBOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in PANELS.values()} == {"${datasource}"}
    used = set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(DASHBOARD)))
    assert used == {each["name"] for each in DASHBOARD["templating"]["list"]}
    (source,) = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "postgresql.yml").read_text())["datasources"]
    assert source["type"] == spending.SOURCE["type"]
    assert f"create role {source['user']} " in READER.read_text()
