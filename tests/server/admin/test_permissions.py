"""Who may do what: every operation with every kind of caller, on what is its own and on what is not.

The table is held against the operations themselves: a new one without a row fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from gaiarouter.app import Gateway
from gaiarouter.config.settings import Settings
from gaiarouter.server.admin.operation import Operation
from gaiarouter.store.records import Permission
from tests.gateway.running import Reply, Starter, assert_error
from tests.server.admin.conftest import ADMIN_KEY, Admit, Operator

Caller = Literal["none", "wrong", "inference", "read", "write", "admin", "admin key"]
CALLERS: tuple[Caller, ...] = ("none", "wrong", "inference", "read", "write", "admin", "admin key")

ALL_OF_ADMIN: dict[Caller, int] = {
    "none": 401, "wrong": 401, "inference": 403, "read": 403, "write": 403, "admin": 200, "admin key": 200,
}  # fmt: skip
ALL_OF_WRITE = ALL_OF_ADMIN | {"write": 200}
ALL_OF_READ = ALL_OF_WRITE | {"read": 200}


@dataclass(frozen=True)
class Row:
    """own, foreign: the status by caller, for what is of the caller's organization, and of another. body: what is sent.

    foreign of None: the operation names nothing that could be another's.
    """

    own: dict[Caller, int]
    foreign: dict[Caller, int] | None = None
    body: dict[str, Any] | None = None


def _hidden(own: dict[Caller, int]) -> dict[Caller, int]:
    """What is allowed on one's own is not found elsewhere, but for admins."""
    return {caller: 404 if status == 200 and "admin" not in caller else status for caller, status in own.items()}


ROWS = {
    "post /v1/organizations": Row(ALL_OF_ADMIN, body={"name": "New"}),
    "get /v1/organizations": Row(ALL_OF_ADMIN),
    "get /v1/organizations/{id}": Row(ALL_OF_READ, _hidden(ALL_OF_READ)),
    "patch /v1/organizations/{id}": Row(ALL_OF_ADMIN, ALL_OF_ADMIN, {"description": "x"}),
    "delete /v1/organizations/{id}": Row(ALL_OF_ADMIN, ALL_OF_ADMIN),
    "post /v1/users": Row(ALL_OF_ADMIN, ALL_OF_ADMIN, {"organization": "{organization}", "email": "new@acme.example"}),
    "get /v1/users": Row(ALL_OF_ADMIN),
    "get /v1/users/{id}": Row(ALL_OF_ADMIN, ALL_OF_ADMIN),
    "patch /v1/users/{id}": Row(ALL_OF_ADMIN, ALL_OF_ADMIN, {"name": "x"}),
    "delete /v1/users/{id}": Row(ALL_OF_ADMIN, ALL_OF_ADMIN),
    "get /v1/routes/health": Row(ALL_OF_ADMIN),
    "get /v1/audit-log": Row(ALL_OF_ADMIN),
    "post /v1/api-keys": Row(
        ALL_OF_WRITE, ALL_OF_WRITE | {"write": 400}, {"name": "new", "organization": "{organization}"}
    ),
    "get /v1/api-keys": Row(ALL_OF_WRITE),
    "get /v1/api-keys/{id}": Row(ALL_OF_WRITE, _hidden(ALL_OF_WRITE)),
    "patch /v1/api-keys/{id}": Row(ALL_OF_WRITE, _hidden(ALL_OF_WRITE), {"name": "x"}),
    "delete /v1/api-keys/{id}": Row(ALL_OF_WRITE, _hidden(ALL_OF_WRITE)),
    "post /v1/api-keys/{id}/rotate": Row(ALL_OF_WRITE, _hidden(ALL_OF_WRITE), {}),
    "post /v1/config/reload": Row(ALL_OF_ADMIN),
    "get /v1/log-level": Row(ALL_OF_ADMIN),
    "patch /v1/log-level": Row(ALL_OF_ADMIN, body={"level": "info"}),
    "get /v1/stats": Row(ALL_OF_READ),
    "get /v1/organizations/{id}/stats": Row(ALL_OF_READ, _hidden(ALL_OF_READ)),
    "get /v1/api-keys/{id}/stats": Row(ALL_OF_READ, _hidden(ALL_OF_READ)),
    "get /v1/usage": Row(ALL_OF_READ),
    "post /v1/routes/explain": Row(ALL_OF_READ, body={"model": "demo"}),
}


def operations() -> dict[str, Operation]:
    return {each.id: each for each in Gateway(Settings()).control.operations}


OPERATIONS = operations()


def test_every_operation_has_its_row() -> None:
    assert set(ROWS) == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_the_least_permission_of_each_operation_is_what_the_row_says(operation: Operation) -> None:
    order: list[Permission] = ["read", "write", "admin"]
    own = ROWS[operation.id].own
    assert operation.permission == next(permission for permission in order if own[permission] == 200)


@dataclass
class World:
    """Two organizations with a user and a key each, and callers of the first."""

    operator: Operator
    keys: dict[Caller, str]
    ids: dict[tuple[str, str], str]

    async def ask(self, operation: Operation, caller: Caller, whose: str, *, path_id: str | None = None) -> Reply:
        kind = operation.path.split("/")[2]
        path = operation.path.replace("{id}", path_id or self.ids.get((kind, whose), ""))
        body = ROWS[operation.id].body
        if body is not None:
            organization = self.ids["organizations", whose]
            body = {name: organization if value == "{organization}" else value for name, value in body.items()}
        return await self.operator.ask(operation.method, path, body, key=self.keys[caller])


async def _world(admit: Admit) -> World:
    operator = await admit()
    ids: dict[tuple[str, str], str] = {}
    for whose in ("own", "foreign"):
        organization = ids["organizations", whose] = await operator.organization(whose)
        ids["users", whose] = await operator.user(organization, f"{whose}@acme.example")
        ids["api-keys", whose] = (await operator.api_key(name=whose, organization=organization))["id"]
    keys: dict[Caller, str] = {"none": "", "wrong": "sk-gaia-wrong", "admin key": operator.key}
    own = ids["organizations", "own"]
    keys["inference"] = (await operator.api_key(organization=own))["key"]
    permissions: list[Permission] = ["read", "write", "admin"]
    for permission in permissions:
        keys[permission] = (await operator.api_key(permission, organization=own))["key"]
    return World(operator, keys, ids)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("whose", ["own", "foreign"])
async def test_each_caller_gets_what_the_table_says(admit: Admit, operation: Operation, whose: str) -> None:
    row = ROWS[operation.id]
    wanted = row.own if whose == "own" else row.foreign
    if wanted is None:
        assert "{id}" not in operation.path
        return
    world = await _world(admit)
    for caller in CALLERS:
        before = await world.operator.gateway.gateway.store.newest_change()
        reply = await world.ask(operation, caller, whose)
        status = wanted[caller]
        # a second new organization of the same name, by the second of the admins, is refused for that alone
        allowed = {200, 201, 409} if status == 200 else {status}
        assert reply.status in allowed, (caller, reply.body)
        if status != 200:
            entries = await world.operator.gateway.gateway.store.read_audit(after=before, at_most=9)
            assert {entry.action for entry in entries} <= {"auth.refused"}, "it was refused, and done"
        if status == 403:
            code = "admin_required" if operation.permission == "admin" else "permission_required"
            assert_error(reply, 403, code)
        if status == 401:
            assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS.values() if "{id}" in each.path], ids=lambda each: each.id
)
async def test_what_is_foreign_looks_like_what_does_not_exist(admit: Admit, operation: Operation) -> None:
    world = await _world(admit)
    kind = operation.path.split("/")[2]
    missing = world.ids[kind, "foreign"][:-4] + "0000"
    callers: list[Caller] = ["read", "write"]
    for caller in callers:
        answers = [
            await world.ask(operation, caller, "foreign"),
            await world.ask(operation, caller, "own", path_id=missing),
        ]
        told = [(each.status, each.json()["error"], sorted(each.headers)) for each in answers]
        assert told[0] == told[1]


async def test_lists_hold_what_is_one_s_own(admit: Admit) -> None:
    world = await _world(admit)
    own, foreign = world.ids["organizations", "own"], world.ids["organizations", "foreign"]
    for query in ("", f"?organization={own}"):
        listed = (await world.operator.ask("GET", "/v1/api-keys" + query, key=world.keys["write"])).json()
        assert {key["organization"] for key in listed["data"]} == {own}
        assert listed["pagination"]["total"] == len(listed["data"]) == 5
    for query in (f"?organization={foreign}", "?organization=org_none", "?search=foreign"):
        listed = (await world.operator.ask("GET", "/v1/api-keys" + query, key=world.keys["write"])).json()
        assert (listed["data"], listed["pagination"]["total"]) == ([], 0)
    everything = (await world.operator.ask("GET", "/v1/api-keys", key=world.keys["admin"])).json()
    assert {key["organization"] for key in everything["data"]} == {own, foreign, None}


async def test_a_key_without_an_organization_sees_those_without_one(admit: Admit) -> None:
    world = await _world(admit)
    stray = await world.operator.api_key("write", name="stray")
    listed = (await world.operator.ask("GET", "/v1/api-keys", key=stray["key"])).json()
    assert {key["organization"] for key in listed["data"]} == {None}
    refused = await world.operator.ask("GET", f"/v1/api-keys/{world.ids['api-keys', 'own']}", key=stray["key"])
    assert_error(refused, 404, "not_found")
    made = await world.operator.ask("POST", "/v1/api-keys", {"name": "x"}, key=stray["key"])
    assert made.json()["organization"] is None


async def test_nobody_gives_or_takes_over_permissions_that_it_does_not_have(admit: Admit) -> None:
    world = await _world(admit)
    own = world.ids["organizations", "own"]
    admin = (await world.operator.api_key("admin", organization=own))["id"]
    writer = world.keys["write"]
    for method, path, body in [
        ("POST", "/v1/api-keys", {"name": "x", "permissions": ["admin"]}),
        ("PATCH", f"/v1/api-keys/{world.ids['api-keys', 'own']}", {"permissions": ["read", "admin"]}),
        ("PATCH", f"/v1/api-keys/{admin}", {"permissions": []}),
        ("PATCH", f"/v1/api-keys/{admin}", {"status": "disabled"}),
        ("POST", f"/v1/api-keys/{admin}/rotate", {}),
        ("DELETE", f"/v1/api-keys/{admin}", None),
    ]:
        assert_error(await world.operator.ask(method, path, body, key=writer), 403, "permission_required")
    made = await world.operator.ask("POST", "/v1/api-keys", {"name": "x", "permissions": ["write"]}, key=writer)
    assert (made.status, made.json()["organization"]) == (201, own)


async def test_the_admin_key_is_no_key_for_models(admit: Admit) -> None:
    operator = await admit()
    reply = await operator.gateway.chat("demo", headers={"authorization": f"Bearer {operator.key}"})
    assert_error(reply, 401, "invalid_api_key")


@pytest.mark.parametrize("sent", ["operator-0f9c1e7ad2b84f63a5e1c0d97", "é" * 32, " "])
async def test_what_is_nearly_the_admin_key_is_not(admit: Admit, sent: str) -> None:
    operator = await admit()
    assert_error(await operator.ask("GET", "/v1/users", key=sent), 401, "invalid_api_key")


async def test_without_an_admin_key_nothing_passes_for_it(start: Starter) -> None:
    gateway = await start()
    for sent in ("", ADMIN_KEY, "None"):
        reply = await gateway.request("GET", "/v1/users", headers={"authorization": f"Bearer {sent}"})
        assert_error(reply, 401, "invalid_api_key")


async def test_a_caller_without_a_key_manages_nothing_even_where_it_may_call_models(admit: Admit) -> None:
    operator = await admit(auth={"required": False})
    assert (await operator.gateway.chat("demo", headers={"authorization": ""})).status == 200
    assert_error(await operator.ask("GET", "/v1/users", key=""), 401, "invalid_api_key")
