"""Organizations, users, changes of keys and the audit log, on both engines."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import Conflict, InvalidRequest, NotFound
from gaiarouter.store.base import ApiKey, Store
from gaiarouter.store.database import Database
from gaiarouter.store.records import Author, Budget, Filter, KeyFilter, Organization, Page
from gaiarouter.store.tables.audit import hash_of
from tests.store.conftest import AUTHOR, ORGANIZATION, USER

FULL = replace(
    ORGANIZATION,
    description="the tester's",
    status="suspended",
    limits=Limits(requests=None, tokens=Rate(5, 60.0), concurrent=2),
    budget=Budget(12_000_000_000, "day"),
    models=("gpt-*",),
)


@pytest.mark.parametrize("wanted", [ORGANIZATION, FULL, replace(FULL, models=())])
async def test_an_organization_comes_back_as_it_was_kept(store: Store, wanted: Organization) -> None:
    await store.add_organization(wanted, AUTHOR)
    assert await store.find_organization(wanted.id) == wanted
    assert await store.list_organizations() == [wanted]


async def test_a_user_comes_back_as_it_was_kept(store: Store) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    full = replace(USER, name=None, role="admin", password_hash="$argon2id$…", last_login_us=7, status="suspended")
    await store.add_user(full, AUTHOR)
    assert await store.find_user(full.id) == full
    assert await store.list_users() == [full]


async def test_what_does_not_exist_is_none_or_not_found(store: Store) -> None:
    assert await store.find_organization("org_none") is None
    assert await store.find_user("user_none") is None
    for change in (
        store.change_organization("org_none", lambda old: old, AUTHOR),
        store.delete_organization("org_none", AUTHOR),
        store.change_user("user_none", lambda old: old, AUTHOR),
        store.delete_user("user_none", AUTHOR),
        store.change_key("key_none", lambda old: old, AUTHOR, "update"),
    ):
        with pytest.raises(NotFound):
            await change
    assert await store.newest_change() == 0


async def test_names_and_addresses_are_taken_until_their_owner_is_deleted(store: Store) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_user(USER, AUTHOR)
    with pytest.raises(Conflict) as name:
        await store.add_organization(replace(ORGANIZATION, id="org_2"), AUTHOR)
    with pytest.raises(Conflict) as email:
        await store.add_user(replace(USER, id="user_2"), AUTHOR)
    assert (name.value.param, email.value.param) == ("name", "email")
    await store.delete_user(USER.id, AUTHOR)
    await store.delete_organization(ORGANIZATION.id, AUTHOR)
    await store.add_organization(replace(ORGANIZATION, id="org_2"), AUTHOR)
    await store.add_user(replace(USER, id="user_2", organization="org_2"), AUTHOR)


async def test_a_change_to_a_taken_name_changes_nothing(store: Store) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    other = replace(ORGANIZATION, id="org_2", name="Other")
    await store.add_organization(other, AUTHOR)
    with pytest.raises(Conflict):
        await store.change_organization("org_2", lambda old: replace(old, name="Acme"), AUTHOR)
    assert await store.find_organization("org_2") == other
    assert await store.newest_change() == 2


async def test_a_deleted_one_stays_but_is_changed_no_more(store: Store) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    deleted = await store.delete_organization(ORGANIZATION.id, AUTHOR)
    assert deleted.deleted_us == AUTHOR.now_us
    assert await store.delete_organization(ORGANIZATION.id, replace(AUTHOR, now_us=1)) == deleted
    assert await store.find_organization(ORGANIZATION.id) == deleted
    assert await store.list_organizations() == []
    assert await store.list_organizations(Filter(status="deleted")) == [deleted]
    with pytest.raises(Conflict):
        await store.change_organization(ORGANIZATION.id, lambda old: replace(old, name="x"), AUTHOR)
    assert await store.newest_change() == 2


async def test_users_and_keys_need_an_organization_and_an_owner_of_it(store: Store, key: ApiKey) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await store.add_user(USER, AUTHOR)
    assert caught.value.param == "organization"
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_organization(replace(ORGANIZATION, id="org_2", name="Other"), AUTHOR)
    await store.add_user(USER, AUTHOR)
    for organization, owner, param in [
        ("org_none", None, "organization"),
        ("org_2", USER.id, "owner"),
        (None, USER.id, "owner"),
        ("org_1", "user_none", "owner"),
    ]:
        with pytest.raises(InvalidRequest) as caught:
            await store.add_key(replace(key, organization=organization, owner=owner), AUTHOR)
        assert caught.value.param == param
    assert not await store.has_keys()
    assert await store.add_key(replace(key, organization="org_1", owner=USER.id), AUTHOR)


async def test_an_edit_that_raises_changes_nothing(store: Store, key: ApiKey) -> None:
    await store.add_key(key, AUTHOR)

    def refuse(_: ApiKey) -> ApiKey:
        raise NotFound("not yours")

    with pytest.raises(NotFound, match="not yours"):
        await store.change_key(key.id, refuse, AUTHOR, "update")
    assert await store.find_key(key.id) == key
    assert await store.newest_change() == 1


async def test_a_revoked_key_is_changed_no_more(store: Store, key: ApiKey) -> None:
    await store.add_key(replace(key, revoked_us=5), AUTHOR)
    with pytest.raises(Conflict):
        await store.change_key(key.id, lambda old: replace(old, name="x"), AUTHOR, "update")


async def test_changes_of_one_record_at_once_all_hold(store: Store) -> None:
    await store.add_organization(replace(ORGANIZATION, description=""), AUTHOR)

    async def append(letter: str) -> None:
        await store.change_organization(
            "org_1", lambda old: replace(old, description=(old.description or "") + letter), AUTHOR
        )

    await asyncio.gather(*map(append, "abcdefghijklmnop"))
    changed = await store.find_organization("org_1")
    assert changed is not None
    assert sorted(changed.description or "") == list("abcdefghijklmnop")
    assert [seq for seq, _ in await store.changes(after=0, at_most=100)] == list(range(1, 18))


async def test_one_of_many_takes_a_name(store: Store) -> None:
    made = await asyncio.gather(
        *(store.add_organization(replace(ORGANIZATION, id=f"org_{number}"), AUTHOR) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(error, Conflict) for error in made) == 9
    assert await store.count_organizations(Filter()) == 1


@pytest.mark.parametrize(
    ("which", "wanted"),
    [
        (KeyFilter(), ["key_1", "key_2", "key_3", "key_4", "key_5"]),
        (KeyFilter(with_revoked=False), ["key_1", "key_2", "key_4", "key_5"]),
        (KeyFilter(organization="org_1"), ["key_2"]),
        (KeyFilter(organization=""), ["key_1", "key_3", "key_4", "key_5"]),
        (KeyFilter(owner="user_1"), ["key_2"]),
        (KeyFilter(status="revoked"), ["key_3"]),
        (KeyFilter(status="disabled"), ["key_4"]),
        (KeyFilter(status="expired", now_us=100), ["key_5"]),
        (KeyFilter(status="active", now_us=100), ["key_1", "key_2"]),
        (KeyFilter(status="active", now_us=99), ["key_1", "key_2", "key_5"]),
        (KeyFilter(search="LAP"), ["key_1"]),
        (KeyFilter(search="key_2"), ["key_2"]),
        (KeyFilter(search="100%"), ["key_3"]),
        (KeyFilter(search="%"), ["key_3"]),
        (KeyFilter(search="a_b"), []),
        (KeyFilter(search="!"), ["key_4"]),
        (KeyFilter(search="'; DROP TABLE api_keys; --"), []),
    ],
)
async def test_keys_are_filtered(store: Store, key: ApiKey, which: KeyFilter, wanted: list[str]) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_user(USER, AUTHOR)
    for number, changes in enumerate(
        [
            {"name": "Laptop"},
            {"organization": "org_1", "owner": "user_1"},
            {"revoked_us": 7, "name": "100%"},
            {"status": "disabled", "name": "axb!"},
            {"expires_us": 100},
        ],
        start=1,
    ):
        await store.add_key(replace(key, id=f"key_{number}", created_us=number, **changes))  # type: ignore[arg-type]
    assert [found.id for found in await store.list_keys(which)] == wanted
    assert await store.count_keys(which) == len(wanted)
    assert [found.id for found in await store.list_keys(which, Page(1, 2))] == wanted[1:3]


@pytest.mark.parametrize(
    ("which", "wanted"),
    [
        (Filter(), ["user_1", "user_2", "user_3"]),
        (Filter(status="active"), ["user_1", "user_3"]),
        (Filter(status="suspended"), ["user_2"]),
        (Filter(organization="org_2"), ["user_3"]),
        (Filter(role="admin"), ["user_2"]),
        (Filter(search="ADA"), ["user_1", "user_2", "user_3"]),
        (Filter(search="b@"), ["user_2"]),
        (Filter(search="user_3"), ["user_3"]),
        (Filter(status="deleted"), ["user_4"]),
    ],
)
async def test_users_are_filtered(store: Store, which: Filter, wanted: list[str]) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_organization(replace(ORGANIZATION, id="org_2", name="Other"), AUTHOR)
    for user in (
        replace(USER, email="a@x"),
        replace(USER, id="user_2", email="b@x", created_us=4, role="admin", status="suspended"),
        replace(USER, id="user_3", email="c@x", created_us=5, organization="org_2"),
        replace(USER, id="user_4", email="d@x", created_us=6),
    ):
        await store.add_user(user, AUTHOR)  # type: ignore[arg-type]
    await store.delete_user("user_4", AUTHOR)
    assert [user.id for user in await store.list_users(which)] == wanted
    assert await store.count_users(which) == len(wanted)


async def test_each_change_is_audited_with_what_it_changed(store: Store, key: ApiKey) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_key(replace(key, organization="org_1"), AUTHOR)
    later = Author("user_7", AUTHOR.now_us + 5)
    await store.change_key(key.id, lambda old: replace(old, name="b", models=("x",)), later, "update")
    await store.revoke_key(key.id, now_us=9, author=later)
    newest = await store.list_audit(page=Page(0, 3))
    assert [(entry.seq, entry.action, entry.target, entry.actor) for entry in newest] == [
        (4, "key.revoke", "key_1", "user_7"),
        (3, "key.update", "key_1", "user_7"),
        (2, "key.create", "key_1", "key_admin"),
    ]
    revoke, update, create = newest
    assert (update.time_us, update.organization, update.request_id) == (later.now_us, "org_1", None)
    assert (json.loads(update.before or ""), json.loads(update.after or "")) == (
        {"name": "alice", "models": None},
        {"name": "b", "models": ["x"]},
    )
    assert (json.loads(revoke.before or ""), json.loads(revoke.after or "")) == (
        {"revoked_us": None},
        {"revoked_us": 9},
    )
    assert create.before is None
    assert create.request_id == "req-1"
    assert key.secret_hash.hex() not in repr(newest)
    assert await store.count_audit(target="key_1") == 3
    assert [entry.seq for entry in await store.list_audit(target="org_1")] == [1]


async def test_a_change_that_changes_nothing_leaves_no_trace(store: Store) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    for _ in range(2):
        assert await store.change_organization("org_1", lambda old: old, AUTHOR) == ORGANIZATION
    await store.change_organization("org_1", lambda old: replace(old, name="b"), AUTHOR)
    assert [entry.seq for entry in await store.read_audit(after=0, at_most=9)] == [1, 2]


async def test_the_log_is_a_chain_of_hashes(store: Store) -> None:
    for number in range(5):
        await store.add_organization(replace(ORGANIZATION, id=f"org_{number}", name=f"ü{number}"), AUTHOR)
    previous = ""
    for entry in await store.read_audit(after=0, at_most=9):
        assert entry.previous_hash == previous
        assert hash_of(entry) == entry.hash
        previous = entry.hash


@pytest.mark.parametrize("broken", ["audit_log", "audit_head"])
async def test_nothing_is_changed_where_it_cannot_be_audited(store: Store, database: Database, broken: str) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    statement = {"audit_log": "ALTER TABLE audit_log RENAME TO gone", "audit_head": "DELETE FROM audit_head"}[broken]
    await database.write(statement)
    with pytest.raises(Exception, match=r"audit_log|index out of range|audit"):
        await store.change_organization("org_1", lambda old: replace(old, name="b"), AUTHOR)
    assert await store.find_organization("org_1") == ORGANIZATION
