"""Organizations, users and keys over HTTP: what is made, found, listed, changed and deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.gateway.running import assert_error
from tests.server.admin.conftest import Admit

LATER = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


def _time(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def test_an_organization_from_its_making_to_its_deletion(admit: Admit) -> None:
    operator = await admit()
    reply = await operator.ask("POST", "/v1/organizations", {"name": "Acme"})
    assert reply.status == 201
    made = reply.json()
    assert made["id"].startswith("org_")
    assert abs(_time(made["created_at"]) - datetime.now(UTC)) < timedelta(seconds=60)
    assert {name: made[name] for name in ("name", "description", "status", "limits", "budget", "models")} == {
        "name": "Acme",
        "description": None,
        "status": "active",
        "limits": None,
        "budget": None,
        "models": None,
    }
    path = f"/v1/organizations/{made['id']}"
    assert (await operator.ask("GET", path)).json() == made
    changed = (await operator.ask("PATCH", path, {"budget": {"amount_usd": 0.1, "period": "day"}})).json()
    assert changed == {**made, "budget": {"amount_usd": 0.1, "period": "day"}, "updated_at": changed["updated_at"]}
    deleted = await operator.ask("DELETE", path)
    assert (deleted.status, deleted.json()["status"]) == (200, "deleted")
    assert _time(deleted.json()["deleted_at"])
    assert (await operator.ask("DELETE", path)).json() == deleted.json()
    assert (await operator.ask("GET", path)).json() == deleted.json()
    assert_error(await operator.ask("PATCH", path, {"name": "x"}), 409, "conflict")
    assert (await operator.ask("GET", "/v1/organizations")).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, {}),
        ({"name": "B"}, {"name": "B"}),
        ({"description": None}, {"description": None}),
        ({"models": None}, {"models": None}),
        ({"models": []}, {"models": []}),
        ({"budget": None}, {"budget": None}),
        ({"limits": None}, {"limits": None}),
        ({"limits": {}}, {}),
        (
            {"limits": {"requests": "5/s"}},
            {"limits": {"requests": "5/s", "tokens": "unlimited", "concurrent": 3}},
        ),
        (
            {"limits": {"concurrent": None, "tokens": "1k/day"}},
            {"limits": {"requests": "10/min", "tokens": "1000/day", "concurrent": "unlimited"}},
        ),
        ({"status": "suspended", "name": "C"}, {"status": "suspended", "name": "C"}),
    ],
)
async def test_a_patch_changes_what_it_names_and_null_takes_away(
    admit: Admit, change: dict[str, Any], wanted: dict[str, Any]
) -> None:
    operator = await admit()
    made = await operator.made(
        "/v1/organizations",
        name="A",
        description="text",
        models=["gpt-*"],
        budget={"amount_usd": 12.5, "period": "month"},
        limits={"requests": "10/min", "concurrent": 3},
    )
    assert made["limits"] == {"requests": "10/min", "tokens": "unlimited", "concurrent": 3}
    reply = await operator.ask("PATCH", f"/v1/organizations/{made['id']}", change)
    assert reply.status == 200
    assert reply.json() == {**made, **wanted, "updated_at": reply.json()["updated_at"]}
    assert (reply.json()["updated_at"] == made["updated_at"]) == (not wanted)


async def test_a_user_from_its_making_to_its_deletion(admit: Admit) -> None:
    operator = await admit()
    organization = await operator.organization()
    made = await operator.made("/v1/users", organization=organization, email="Ada@Acme.example", role="write")
    assert (made["email"], made["role"], made["name"], made["status"]) == ("ada@acme.example", "write", None, "active")
    path = f"/v1/users/{made['id']}"
    assert (await operator.ask("GET", path)).json() == made
    changed = (await operator.ask("PATCH", path, {"name": "Ada", "status": "suspended"})).json()
    assert (changed["name"], changed["status"], changed["role"]) == ("Ada", "suspended", "write")
    refused = await operator.ask("PATCH", path, {"organization": organization})
    assert (refused.status, refused.error["param"]) == (400, "organization")
    deleted = (await operator.ask("DELETE", path)).json()
    assert deleted["status"] == "deleted"
    assert (await operator.ask("GET", path)).json() == deleted


async def test_a_key_is_shown_once_and_works_as_it_says(admit: Admit) -> None:
    operator = await admit()
    organization = await operator.organization()
    owner = await operator.user(organization)
    asked = {
        "name": "batch",
        "description": "nightly",
        "organization": organization,
        "owner": owner,
        "permissions": ["read"],
        "models": ["demo"],
        "limits": {"requests": "7/min", "tokens": "unlimited", "concurrent": 2},
        "budget": {"amount_usd": 3, "period": "total"},
        "inference": True,
        "unsupported": "error",
        "expires_at": LATER.isoformat(),
    }
    made = await operator.made("/v1/api-keys", **asked)
    text = made.pop("key")
    assert text.startswith("sk-gaia-")
    assert _time(made["expires_at"]) == LATER
    assert {name: made[name] for name in asked if name != "expires_at"} == {
        name: value for name, value in asked.items() if name != "expires_at"
    }
    assert (made["status"], made["revoked_at"], made["last_used_at"]) == ("active", None, None)
    path = f"/v1/api-keys/{made['id']}"
    assert (await operator.ask("GET", path)).json() == made
    assert text not in (await operator.ask("GET", "/v1/api-keys")).body.decode()
    reply = await operator.gateway.chat("demo", headers={"authorization": f"Bearer {text}"})
    assert reply.status == 200
    assert reply.headers["x-ratelimit-limit-requests"] == "7"


async def test_limits_that_a_key_does_not_name_are_the_configuration_s(admit: Admit) -> None:
    operator = await admit(limits={"requests": "9/min", "tokens": "50k/min", "concurrent": 1})
    made = await operator.api_key(limits={"requests": "unlimited"})
    assert made["limits"] == {"requests": "unlimited", "tokens": "50000/min", "concurrent": 1}
    assert (await operator.api_key())["limits"] is None


async def test_a_changed_key_is_another_at_once(admit: Admit) -> None:
    operator = await admit()
    made = await operator.api_key(limits={"concurrent": 5})
    path = f"/v1/api-keys/{made['id']}"
    for change, status in [
        ({}, 200),
        ({"models": ["gpt-*"]}, 403),
        ({"models": None}, 200),
        ({"inference": False}, 403),
        ({"inference": True}, 200),
        ({"status": "disabled"}, 401),
        ({"status": "active"}, 200),
    ]:
        assert (await operator.ask("PATCH", path, change)).status == 200
        await operator.until_answered(made["key"], status)
    revoked = await operator.ask("DELETE", path)
    assert (revoked.status, revoked.json()["status"]) == (200, "revoked")
    await operator.until_answered(made["key"], 401)
    again = (await operator.ask("DELETE", path)).json()
    assert again == {**revoked.json(), "last_used_at": again["last_used_at"]}
    assert_error(await operator.ask("PATCH", path, {"name": "x"}), 409, "conflict")
    assert_error(await operator.ask("POST", path + "/rotate"), 409, "conflict")


async def test_a_rotated_key_s_old_text_works_for_as_long_as_was_asked_for(admit: Admit) -> None:
    operator = await admit()
    old = await operator.api_key()
    path = f"/v1/api-keys/{old['id']}/rotate"
    await operator.until_answered(old["key"], 200)
    reply = await operator.ask("POST", path, {"overlap_seconds": 3600})
    new = reply.json()
    assert (reply.status, new["id"]) == (200, old["id"])
    assert timedelta(minutes=59) < _time(new["previous_secret_until"]) - datetime.now(UTC) <= timedelta(minutes=60)
    await operator.until_answered(new["key"], 200)
    await operator.until_answered(old["key"], 200)
    newest = (await operator.ask("POST", path, {"overlap_seconds": 0})).json()
    assert newest["previous_secret_until"] is None
    for text, status in [(old["key"], 401), (new["key"], 401), (newest["key"], 200)]:
        await operator.until_answered(text, status)
    reply = await operator.ask("POST", path)
    assert reply.status == 200, reply.body
    by_default = reply.json()
    assert _time(by_default["previous_secret_until"]) - datetime.now(UTC) > timedelta(hours=23)


async def test_lists_have_pages(admit: Admit) -> None:
    operator = await admit()
    made = [await operator.organization(f"org {number:02}") for number in range(23)]
    first = (await operator.ask("GET", "/v1/organizations")).json()
    assert [each["id"] for each in first["data"]] == made[:20]
    assert first["pagination"] == {"page": 1, "limit": 20, "total": 23, "pages": 2}
    last = (await operator.ask("GET", "/v1/organizations?page=3&limit=10")).json()
    assert [each["id"] for each in last["data"]] == made[20:]
    assert last["pagination"] == {"page": 3, "limit": 10, "total": 23, "pages": 3}
    beyond = (await operator.ask("GET", "/v1/organizations?page=1000000&limit=100")).json()
    assert (beyond["data"], beyond["pagination"]["total"]) == ([], 23)
    found = (await operator.ask("GET", "/v1/organizations?search=ORG%2002")).json()
    assert [each["id"] for each in found["data"]] == [made[2]]


async def test_lists_of_keys_are_filtered(admit: Admit) -> None:
    operator = await admit()
    organization = await operator.organization()
    owner = await operator.user(organization)
    plain = (await operator.api_key(name="plain"))["id"]
    owned = (await operator.api_key(name="owned", organization=organization, owner=owner))["id"]
    gone = (await operator.api_key(name="gone"))["id"]
    await operator.ask("DELETE", f"/v1/api-keys/{gone}")
    (tests,) = {key.id for key in await operator.gateway.gateway.store.list_keys()} - {plain, owned, gone}
    for query, wanted in [
        ("", [tests, plain, owned]),
        ("?status=revoked", [gone]),
        ("?status=active", [tests, plain, owned]),
        ("?status=expired", []),
        (f"?organization={organization}", [owned]),
        (f"?owner={owner}", [owned]),
        ("?search=PLA", [plain]),
        (f"?search={owned}", [owned]),
    ]:
        found = (await operator.ask("GET", "/v1/api-keys" + query)).json()
        assert sorted(each["id"] for each in found["data"]) == sorted(wanted), query
        assert found["pagination"]["total"] == len(wanted)


async def test_what_is_taken_or_does_not_exist_is_said_by_its_field(admit: Admit) -> None:
    operator = await admit()
    organization = await operator.organization()
    await operator.user(organization)
    other = await operator.organization("Other")
    assert_error(await operator.ask("POST", "/v1/organizations", {"name": "Acme"}), 409, "conflict", param="name")
    assert_error(
        await operator.ask("PATCH", f"/v1/organizations/{other}", {"name": "Acme"}), 409, "conflict", param="name"
    )
    user = {"organization": organization, "email": "ADA@acme.example"}
    assert_error(await operator.ask("POST", "/v1/users", user), 409, "conflict", param="email")
    for path, body, param in [
        ("/v1/users", {"organization": "org_none", "email": "a@b"}, "organization"),
        ("/v1/api-keys", {"name": "k", "organization": "org_none"}, "organization"),
        ("/v1/api-keys", {"name": "k", "organization": other, "owner": "user_none"}, "owner"),
    ]:
        assert_error(await operator.ask("POST", path, body), 400, "invalid_request", param=param)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/organizations/org_none", ("GET", "PATCH", "DELETE")),
        ("/v1/users/user_none", ("GET", "PATCH", "DELETE")),
        ("/v1/api-keys/key_none", ("GET", "PATCH", "DELETE")),
        ("/v1/api-keys/key_none/rotate", ("POST",)),
        ("/v1/users/org_1", ("GET",)),
        ("/v1/users/%00", ("GET", "PATCH", "DELETE")),
        ("/v1/users/user_%F0%9F%94%91", ("GET",)),
        ("/v1/users/user_" + "x" * 65, ("GET",)),
        ("/v1/api-keys/key_';--", ("GET", "DELETE")),
    ],
)
async def test_an_id_that_does_not_exist_is_not_found(admit: Admit, path: str, methods: tuple[str, ...]) -> None:
    operator = await admit()
    for method in methods:
        body = {"PATCH": {}, "POST": {}}.get(method)
        assert_error(await operator.ask(method, path, body), 404, "not_found")
