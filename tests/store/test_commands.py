from __future__ import annotations

from dataclasses import replace

import pytest

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import InvalidRequest
from gaiarouter.store.base import ApiKey, Store
from gaiarouter.store.commands import create_key, first_key, list_keys, render_keys, revoke_key
from gaiarouter.store.keys import parse, verify
from tests.store.conftest import AUTHOR, ORGANIZATION

NOW_US = 1_700_000_000_000_000  # 2023-11-14 22:13:20 UTC
DAY_US = 86_400_000_000


async def test_a_made_key_is_kept_as_asked_for(store: Store) -> None:
    limits = Limits(requests=Rate(1, 1.0), tokens=None, concurrent=None)
    await store.add_organization(ORGANIZATION, AUTHOR)
    minted = await create_key(
        store,
        name="ci",
        now_us=NOW_US,
        permissions=["admin"],
        models=["gpt-*"],
        limits=limits,
        expires_us=NOW_US + DAY_US,
        organization="org_1",
        inference=False,
    )
    (kept,) = await list_keys(store)
    wanted = ApiKey(
        minted.id, "ci", minted.secret_hash, NOW_US, "org_1", ("admin",), ("gpt-*",), limits, False, NOW_US + DAY_US
    )
    assert kept == replace(wanted, updated_us=NOW_US, tenant=ORGANIZATION)
    key = parse(minted.text)
    assert key is not None
    assert verify(key, kept.secret_hash)


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "a\0", "\ud800"])
async def test_a_bad_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await create_key(store, name=name, now_us=NOW_US)
    assert caught.value.param == "name"
    assert not await store.has_keys()


@pytest.mark.parametrize("expires_us", [0, NOW_US, 2**70])
async def test_an_expiry_that_is_no_time_to_come_is_refused(store: Store, expires_us: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await create_key(store, name="a", now_us=NOW_US, expires_us=expires_us)
    assert caught.value.param == "expires"


async def test_an_empty_glob_is_refused(store: Store) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await create_key(store, name="a", now_us=NOW_US, models=["gpt-*", ""])
    assert caught.value.param == "models"


async def test_the_first_key_is_made_only_where_there_have_never_been_keys(store: Store) -> None:
    minted = await first_key(store, now_us=NOW_US)
    assert minted is not None
    key = parse(minted.text)
    assert key is not None
    assert key.id == minted.id
    assert await first_key(store, now_us=NOW_US) is None
    await revoke_key(store, minted.id, author=AUTHOR)
    assert await first_key(store, now_us=NOW_US) is None
    (kept,) = await list_keys(store)
    assert kept.name == "first"


async def test_a_store_with_another_key_gets_no_first_one(store: Store) -> None:
    await create_key(store, name="a", now_us=NOW_US)
    assert await first_key(store, now_us=NOW_US) is None


@pytest.mark.parametrize("with_prefix", [True, False])
async def test_a_key_is_revoked_by_its_id(store: Store, with_prefix: bool) -> None:
    minted = await create_key(store, name="a", now_us=NOW_US)
    key_id = minted.id if with_prefix else minted.id.removeprefix("key_")
    assert await revoke_key(store, key_id, author=AUTHOR)
    assert not await revoke_key(store, key_id, author=AUTHOR)


def test_the_list_is_an_aligned_table_without_secrets() -> None:
    plain = ApiKey("key_1", "alice", b"\xab" * 32, NOW_US)
    keys = [
        plain,
        replace(plain, id="key_22", name="b", permissions=("read", "write"), models=("gpt-*",), expires_us=NOW_US),
        replace(plain, id="key_3", models=(), expires_us=NOW_US + DAY_US, revoked_us=NOW_US),
    ]
    table = render_keys(keys, now_us=NOW_US)
    assert table.splitlines() == [
        "ID      NAME   CREATED           PERMISSIONS  MODELS  EXPIRES           STATUS",
        "key_1   alice  2023-11-14 22:13  -            all     never             active",
        "key_22  b      2023-11-14 22:13  read,write   gpt-*   2023-11-14 22:13  expired",
        "key_3   alice  2023-11-14 22:13  -            none    2023-11-15 22:13  revoked",
    ]
