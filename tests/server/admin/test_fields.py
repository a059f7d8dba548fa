"""Bodies and queries that are wrong: 400, every wrong field named in one answer, and nothing done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.running import assert_error
from tests.server.admin.conftest import Admit, Operator

PAST = "2020-01-01T00:00:00Z"


async def _kept(operator: Operator) -> tuple[int, int]:
    """The number of changes and of keys."""
    store = operator.gateway.gateway.store
    return await store.newest_change(), len(await store.list_keys())


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("/v1/organizations", {}, ["name"]),
        ("/v1/organizations", {"name": ""}, ["name"]),
        ("/v1/organizations", {"name": "  "}, ["name"]),
        ("/v1/organizations", {"name": "a\nb"}, ["name"]),
        ("/v1/organizations", {"name": "ends with a break\n"}, ["name"]),
        ("/v1/organizations", {"name": "x" * 65}, ["name"]),
        ("/v1/organizations", {"name": None}, ["name"]),
        ("/v1/organizations", {"name": 7, "status": "deleted", "description": "\0"}, ["name", "description", "status"]),
        ("/v1/organizations", {"name": "a", "id": "org_1", "is_admin": True}, ["id", "is_admin"]),
        ("/v1/organizations", {"name": "a", "deleted_at": None, "budget": 5}, ["deleted_at", "budget"]),
        ("/v1/organizations", {"name": "a", "budget": {"amount_usd": -1}}, ["budget.period", "budget.amount_usd"]),
        ("/v1/organizations", {"name": "a", "budget": {"amount_usd": 1, "period": "year", "spent": 0}},
         ["budget.spent", "budget.period"]),
        ("/v1/organizations", {"name": "a", "limits": {"requests": "fast", "tokens": 5, "concurrent": 0}},
         ["limits.requests", "limits.tokens", "limits.concurrent"]),
        ("/v1/organizations", {"name": "a", "limits": {"concurrent": "many", "request": "1/s"}},
         ["limits.request", "limits.concurrent"]),
        ("/v1/organizations", {"name": "a", "models": ["ok", "", "a b", 5]}, ["models[1]", "models[2]", "models[3]"]),
        ("/v1/organizations", {"name": "a", "models": ["a", "a"]}, ["models"]),
        ("/v1/organizations", {"name": "a", "models": ["x"] * 101}, ["models"]),
        ("/v1/users", {"name": "a", "role": "root"}, ["organization", "email", "role"]),
        ("/v1/users", {"organization": "org_1", "email": "no address"}, ["email"]),
        ("/v1/users", {"organization": "org_1", "email": "a@b", "password_hash": "x"}, ["password_hash"]),
        ("/v1/users", {"organization": "org 1", "email": "a@b@c"}, ["organization", "email"]),
        ("/v1/api-keys", {}, ["name"]),
        ("/v1/api-keys", {"name": "a", "permissions": ["root", "read", "read"]}, ["permissions[0]", "permissions"]),
        ("/v1/api-keys", {"name": "a", "permissions": "admin"}, ["permissions"]),
        ("/v1/api-keys", {"name": "a", "inference": "no", "unsupported": "drop"}, ["inference", "unsupported"]),
        ("/v1/api-keys", {"name": "a", "expires_at": PAST}, ["expires_at"]),
        ("/v1/api-keys", {"name": "a", "expires_at": "tomorrow"}, ["expires_at"]),
        ("/v1/api-keys", {"name": "a", "expires_at": "2030-02-30T00:00:00Z"}, ["expires_at"]),
        ("/v1/api-keys", {"name": "a", "expires_at": "2030-01-01"}, ["expires_at"]),
        ("/v1/api-keys", {"name": "a", "expires_at": 1}, ["expires_at"]),
        ("/v1/api-keys", {"name": "a", "secret_hash": "00", "tenant": None, "peppered": True},
         ["secret_hash", "tenant", "peppered"]),
        ("/v1/api-keys", {"name": "a", "status": "active"}, ["status"]),
        ("/v1/api-keys", {"name": "a", "organization": 5, "owner": ""}, ["organization", "owner"]),
    ],
)  # fmt: skip
async def test_every_wrong_field_is_named(admit: Admit, path: str, body: Any, wrong: list[str]) -> None:
    operator = await admit()
    before = await _kept(operator)
    reply = await operator.ask("POST", path, body)
    assert reply.status == 400, reply.body
    error = reply.error
    assert (error["code"], error["type"]) == ("invalid_request", "invalid_request_error")
    assert {detail["param"] for detail in error["details"]} == set(wrong)
    assert error["param"] in wrong
    for param in wrong:
        assert f"`{param}`" in error["message"]
    assert await _kept(operator) == before


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b'{"name": "a"} x', 400, "invalid_json"),
        (b'{"name": NaN}', 400, "invalid_json"),
        (b'{"name": "\xff"}', 400, "invalid_json"),
        (b'{"name": "\\ud800"}', 400, "invalid_json"),
        (b"[" * 5000, 400, "invalid_json"),
        (b"[]", 400, "invalid_request"),
        (b'"name"', 400, "invalid_request"),
        (b"null", 400, "invalid_request"),
        (json.dumps({"name": "a", "description": "x" * 70_000}).encode(), 413, "request_too_large"),
    ],
)
async def test_what_is_no_object_is_refused(admit: Admit, body: bytes, status: int, code: str) -> None:
    operator = await admit()
    reply = await operator.ask("POST", "/v1/organizations", body)
    assert (reply.status, reply.error["code"]) == (status, code)
    assert (await operator.ask("GET", "/v1/organizations")).json()["data"] == []


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("page=0", ["page"]),
        ("page=-1&limit=101", ["page", "limit"]),
        ("page=one", ["page"]),
        ("page=1.0", ["page"]),
        ("limit=99999999999999999999", ["limit"]),
        ("limit=0", ["limit"]),
        ("page=1&page=2", ["page"]),
        ("statsu=active", ["statsu"]),
        ("status=gone", ["status"]),
        ("search=", ["search"]),
        ("search=%00", ["search"]),
        ("search=" + "x" * 101, ["search"]),
        ("organization=%00&owner=x", ["organization", "owner"]),
    ],
)
async def test_every_wrong_parameter_is_named(admit: Admit, query: str, wrong: list[str]) -> None:
    operator = await admit()
    reply = await operator.ask("GET", f"/v1/api-keys?{query}")
    assert reply.status == 400
    assert {detail["param"] for detail in reply.error["details"]} == set(wrong)


async def test_a_misspelt_field_is_told_its_name(admit: Admit) -> None:
    operator = await admit()
    reply = await operator.ask("POST", "/v1/api-keys", {"name": "a", "permision": []})
    assert reply.error["message"] == "`permision` is not known; did you mean `permissions`?"


async def test_a_long_field_name_is_clipped(admit: Admit) -> None:
    operator = await admit()
    reply = await operator.ask("POST", "/v1/organizations", {"name": "a", "\x1b[31m" + "y" * 500: 1})
    assert len(reply.error["param"]) < 80
    assert "\x1b" not in reply.body.decode()


async def test_many_wrong_fields_are_bounded(admit: Admit) -> None:
    operator = await admit()
    body = {"name": "a", "models": [f"a b{number}" for number in range(100)]}
    reply = await operator.ask("POST", "/v1/organizations", body)
    assert len(reply.error["details"]) == 32
    assert len(reply.body) < 8192


async def test_a_body_where_none_belongs_is_not_read(admit: Admit) -> None:
    operator = await admit()
    assert (await operator.ask("GET", "/v1/organizations", {"name": "a"})).status == 200


async def test_a_number_of_dollars_is_kept_exactly(admit: Admit) -> None:
    operator = await admit()
    for amount, nano in [(0.1, 100_000_000), (19.99, 19_990_000_000), (1e9, 10**18), (0, 0), (1e-9, 1)]:
        made = await operator.api_key(budget={"amount_usd": amount, "period": "week"})
        key = await operator.gateway.gateway.store.find_key(made["id"])
        assert key is not None
        assert key.budget is not None
        assert key.budget.amount_nano_usd == nano
        assert made["budget"]["amount_usd"] == amount


async def test_a_wrong_method_is_told_the_right_ones(admit: Admit) -> None:
    operator = await admit()
    for path, allowed in [
        ("/v1/organizations", "GET, POST"),
        ("/v1/users/user_1", "DELETE, GET, PATCH"),
        ("/v1/api-keys/key_1/rotate", "POST"),
    ]:
        reply = await operator.ask("PUT", path)
        assert_error(reply, 405, "method_not_allowed")
        assert reply.headers["allow"] == allowed
