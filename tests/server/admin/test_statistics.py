"""Statistics and records over HTTP: what callers used, seen by those who may."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

import pytest
from msgspec import structs

from gaiarouter.store.base import UsageRecord
from gaiarouter.store.keyring import now_us
from tests.server.admin.conftest import Admit, Operator
from tests.store.test_store import KEPT_LOST, RECORD

DAY_US = 86_400_000_000
MONDAY = "2026-11-23T00:00:00.000000Z"
MONDAY_US = 1_795_392_000_000_000


def used(number: int, **changes: Any) -> UsageRecord:
    base = structs.replace(
        RECORD,
        id=f"r{number}",
        request_id=f"x{number}",
        time_us=MONDAY_US + number * DAY_US,
        key=None,
        organization=None,
        model_served="m",
        provider="p",
        status=200,
        outcome="ok",
        in_uncached=10,
        in_cache_read=5,
        in_cache_write=0,
        in_tool=0,
        out_visible=3,
        out_reasoning=1,
        cost_nano_usd=1_500_000_000,
        duration_us=40_000,
        first_content_us=30_000,
    )
    return structs.replace(base, **changes)


async def add(operator: Operator, *records: UsageRecord) -> None:
    await operator.gateway.gateway.store.add_usage(records)


async def get(operator: Operator, path: str, *, key: str | None = None, status: int = 200) -> Any:
    reply = await operator.ask("GET", path, key=key)
    assert reply.status == status, reply.body
    return reply.json()


WEEKS = "start=2026-11-20T00:00:00Z&end=2026-12-20T00:00:00Z"


async def test_a_summary_and_its_groups_add_up(admit: Admit) -> None:
    operator = await admit()
    await add(operator, used(0), used(1, status=502, outcome="error"), used(8, cost_nano_usd=None, model_served="n"))
    answer = await get(operator, f"/v1/stats?{WEEKS}&group_by=week")
    assert answer["period"] == {
        "start": "2026-11-20T00:00:00.000000Z",
        "end": "2026-12-20T00:00:00.000000Z",
        "group_by": "week",
    }
    summary = answer["summary"]
    assert (summary["requests"], summary["errors"], summary["unpriced"]) == (3, 1, 1)
    assert (summary["cost_usd"], summary["cost_nano_usd"]) == (3.0, 3_000_000_000)
    assert summary["tokens"] == {
        "input": 45,
        "output": 12,
        "in_uncached": 30,
        "in_cache_read": 15,
        "in_cache_write": 0,
        "in_tool": 0,
        "out_visible": 9,
        "out_reasoning": 3,
    }
    assert 25 <= summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"] <= 50
    assert [(each["group"], each["requests"]) for each in answer["data"]] == [
        (MONDAY, 2),
        ("2026-11-30T00:00:00.000000Z", 1),
    ]


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("month", ["2026-11-01T00:00:00.000000Z", "2026-12-01T00:00:00.000000Z"]),
        ("day", [MONDAY, "2026-12-01T00:00:00.000000Z"]),
        ("hour", [MONDAY, "2026-12-01T00:00:00.000000Z"]),
        ("model", ["m", "n"]),
        ("provider", ["p"]),
        ("key", [None]),
        ("organization", [None]),
    ],
)
async def test_statistics_are_grouped(admit: Admit, group: str, names: list[str | None]) -> None:
    operator = await admit()
    await add(operator, used(0), used(8, model_served="n"))
    answer = await get(operator, f"/v1/stats?{WEEKS}&group_by={group}")
    assert [each["group"] for each in answer["data"]] == names


async def test_of_nothing_there_are_zeros_and_no_quantiles(admit: Admit) -> None:
    answer = await get(await admit(), "/v1/stats")
    assert answer["data"] == []
    assert answer["summary"]["requests"] == 0
    assert answer["summary"]["latency_ms"] == {"p50": None, "p95": None}


async def test_a_tenant_sees_its_own_and_nothing_else(admit: Admit) -> None:
    operator = await admit()
    mine, other = await operator.organization("Mine"), await operator.organization("Other")
    reader = await operator.api_key("read", organization=mine)
    now = now_us()
    await add(
        operator,
        used(1, time_us=now, organization=mine, key=reader["id"]),
        used(2, time_us=now, organization=other),
        used(3, time_us=now),
    )
    key = reader["key"]
    assert (await get(operator, "/v1/stats"))["summary"]["requests"] == 3
    assert (await get(operator, "/v1/stats", key=key))["summary"]["requests"] == 1
    assert (await get(operator, f"/v1/organizations/{mine}/stats", key=key))["summary"]["requests"] == 1
    assert (await get(operator, f"/v1/api-keys/{reader['id']}/stats", key=key))["summary"]["requests"] == 1
    await get(operator, f"/v1/organizations/{other}/stats", key=key, status=404)
    await get(operator, "/v1/organizations/org_nobody/stats", status=404)
    await get(operator, "/v1/api-keys/key_nobody/stats", status=404)
    listed = await get(operator, f"/v1/usage?organization={other}", key=key)
    assert [each["id"] for each in listed["data"]] == ["r1"]
    assert [each["id"] for each in (await get(operator, f"/v1/usage?organization={other}"))["data"]] == ["r2"]


async def test_records_come_in_pages_and_by_their_request(admit: Admit) -> None:
    operator = await admit()
    await add(operator, *(used(number) for number in range(5)))
    listed = await get(operator, f"/v1/usage?{WEEKS}&limit=2&page=2")
    assert [each["id"] for each in listed["data"]] == ["r2", "r1"]
    assert listed["pagination"] == {"page": 2, "limit": 2, "total": 5, "pages": 3}
    (one,) = (await get(operator, f"/v1/usage?{WEEKS}&request_id=x3"))["data"]
    assert (one["time"], one["cost_nano_usd"], one["outcome"]) == ("2026-11-26T00:00:00.000000Z", 1_500_000_000, "ok")


async def test_csv_has_the_same_and_no_cell_is_a_formula(admit: Admit) -> None:
    operator = await admit()
    await add(operator, used(0, model_asked='=HYPERLINK("x"),é'), used(1, model_asked="m"))
    reply = await operator.ask("GET", f"/v1/usage?{WEEKS}&format=csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert [row["id"] for row in rows] == ["r1", "r0"]
    assert rows[1]["model_asked"] == '\'=HYPERLINK("x"),é'
    assert rows[0]["cost_nano_usd"] == "1500000000"


async def test_tries_that_may_be_billed_stand_beside_the_record(admit: Admit) -> None:
    operator = await admit()
    await add(operator, used(0, lost=(KEPT_LOST,)), used(1))
    first, second = (await get(operator, f"/v1/usage?{WEEKS}"))["data"]
    assert (first["lost"], second["lost"]) == ([], [asdict(KEPT_LOST)])
    reply = await operator.ask("GET", f"/v1/usage?{WEEKS}&format=csv")
    cells = [row["lost"] for row in csv.DictReader(io.StringIO(reply.body.decode()))]
    assert (cells[0], json.loads(cells[1])) == ("", [asdict(KEPT_LOST)])


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("start=2026-12-01T00:00:00Z&end=2026-11-01T00:00:00Z", "end"),
        ("group_by=moon", "group_by"),
        ("start=yesterday", "start"),
    ],
)
async def test_a_wrong_question_is_told_so(admit: Admit, query: str, param: str) -> None:
    answer = await get(await admit(), f"/v1/stats?{query}", status=400)
    assert answer["error"]["param"] == param


async def test_a_request_is_in_the_statistics_as_it_was_answered(admit: Admit) -> None:
    operator = await admit()
    await operator.gateway.chat("demo", headers={"x-request-id": "mine-1"})
    await operator.gateway.records()
    (record,) = (await get(operator, "/v1/usage?request_id=mine-1"))["data"]
    assert (record["model_served"], record["outcome"], record["cost_nano_usd"]) == ("demo", "ok", 0)
    assert (await get(operator, "/v1/stats"))["summary"]["requests"] == 1
