"""What every engine must do alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from msgspec import structs

from gaiarouter.canonical.usage import Usage
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Limits, Rate
from gaiarouter.store import open_store
from gaiarouter.store.base import ApiKey, Store, UsageRecord
from gaiarouter.store.records import Budget, LostAttempt, PreviousSecret
from tests.store.conftest import AUTHOR, ORGANIZATION, USER

FULL_KEY = ApiKey(
    id="key_full",
    name="größe 🔑",
    secret_hash=bytes(range(32)),
    created_us=1_700_000_000_000_001,
    organization="org_1",
    permissions=("read", "admin"),
    models=("gpt-*", "claude-*"),
    limits=Limits(requests=Rate(10, 60.0), tokens=None, concurrent=3),
    inference=False,
    expires_us=1_800_000_000_000_000,
    revoked_us=1_750_000_000_000_000,
    last_used_us=1_740_000_000_000_000,
    unsupported="error",
    owner="user_1",
    description="the nightly batch",
    status="disabled",
    budget=Budget(1_500_000_000, "month"),
    updated_us=1_750_000_000_000_000,
    peppered=True,
    previous=PreviousSecret(bytes(range(1, 33)), False, 1_760_000_000_000_000),
    tenant=ORGANIZATION,
)
RECORD = UsageRecord(
    id="req_1",
    time_us=1_700_000_000_000_000,
    key="key_1",
    organization="org_1",
    route="gpt-*",
    model_asked="gpt-5",
    model_served="gpt-5-2026",
    provider="openai",
    attempts=2,
    status=200,
    outcome="ok",
    error=None,
    streamed=True,
    in_uncached=1,
    in_cache_read=2,
    in_cache_write=3,
    in_tool=4,
    out_visible=5,
    out_reasoning=6,
    estimated=False,
    cost_nano_usd=123_456_789,
    duration_us=1_000_000,
    first_content_us=200_000,
    request_id="client-7",
)
LOST = LostAttempt("openai", "gpt-5\0'\ud800", "timeout_first_byte", 10, 1, 2, 3, estimated=True, cost_nano_usd=None)
KEPT_LOST = replace(LOST, model="gpt-5?'?")
EMPTY_RECORD = structs.replace(
    RECORD,
    **{name: None for name, kind in UsageRecord.__annotations__.items() if "None" in kind},
)


@pytest.mark.parametrize("wanted", [FULL_KEY, ApiKey("key_1", "a", b"\0" * 32, 0), replace(FULL_KEY, models=())])
async def test_a_key_comes_back_as_it_was_kept(store: Store, wanted: ApiKey) -> None:
    await store.add_organization(ORGANIZATION, AUTHOR)
    await store.add_user(USER, AUTHOR)
    assert await store.add_key(wanted)
    assert await store.find_key(wanted.id) == wanted
    assert await store.list_keys() == [wanted]


async def test_an_unknown_key_is_none(store: Store) -> None:
    assert await store.find_key("key_none") is None


async def test_a_taken_id_changes_nothing(store: Store, key: ApiKey) -> None:
    assert await store.add_key(key)
    assert not await store.add_key(replace(key, name="mallory"))
    assert await store.list_keys() == [key]


async def test_keys_are_listed_oldest_first(store: Store, key: ApiKey) -> None:
    for key_id, created_us in [("key_c", 1), ("key_a", 2), ("key_b", 2)]:
        await store.add_key(replace(key, id=key_id, created_us=created_us))
    assert [listed.id for listed in await store.list_keys()] == ["key_c", "key_a", "key_b"]


async def test_a_store_knows_whether_it_has_keys(store: Store, key: ApiKey) -> None:
    assert not await store.has_keys()
    await store.add_key(key)
    assert await store.has_keys()


async def test_a_key_is_revoked_once_and_keeps_its_first_time(store: Store, key: ApiKey) -> None:
    await store.add_key(key)
    assert await store.revoke_key(key.id, now_us=5)
    assert not await store.revoke_key(key.id, now_us=6)
    assert not await store.revoke_key("key_none", now_us=5)
    assert await store.find_key(key.id) == replace(key, revoked_us=5, updated_us=5)


async def test_the_time_of_use_only_moves_forward(store: Store, key: ApiKey) -> None:
    await store.add_key(key)
    for time_us in (7, 9, 8):
        await store.touch_keys({key.id: time_us, "key_none": time_us})
    assert await store.find_key(key.id) == replace(key, last_used_us=9)


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        EMPTY_RECORD,
        structs.replace(RECORD, streamed=False, estimated=True),
        structs.replace(RECORD, lost=(KEPT_LOST,)),
    ],
)
async def test_a_usage_record_comes_back_as_it_was_kept(store: Store, record: UsageRecord) -> None:
    await store.add_usage([record])
    assert await store.find_usage(record.id) == record


async def test_the_same_batch_twice_is_kept_once(store: Store) -> None:
    records = [structs.replace(RECORD, id=f"req_{number}") for number in range(100)]
    await store.add_usage(records[:60])
    await store.add_usage(records)
    await store.add_usage(records)
    assert await store.count_usage() == 100
    assert await store.find_usage("req_none") is None


async def test_what_callers_and_providers_make_up_still_fits(store: Store) -> None:
    hostile = structs.replace(
        RECORD,
        model_asked="a\0b\ud800é" + "x" * 10_000,
        model_served="'; DROP TABLE usage_records; --",
        in_tool=10**30,
        lost=(replace(LOST, cost_nano_usd=10**30),) * 100,
    )
    await store.add_usage([hostile, structs.replace(RECORD, id="req_2")])
    kept = await store.find_usage(hostile.id)
    assert kept is not None
    assert kept.model_asked is not None
    assert kept.model_asked.startswith("a?b?é")
    assert len(kept.model_asked) == 200
    assert kept.model_served == hostile.model_served
    assert kept.in_tool == 2**63 - 1
    assert kept.lost == (replace(KEPT_LOST, cost_nano_usd=2**63 - 1),) * 20
    assert await store.count_usage() == 2


async def test_many_at_once_all_get_their_own_answer(store: Store, key: ApiKey) -> None:
    keys = [replace(key, id=f"key_{number:03}", name=str(number)) for number in range(100)]
    assert all(await asyncio.gather(*map(store.add_key, keys)))
    found = await asyncio.gather(*(store.find_key(wanted.id) for wanted in keys))
    assert found == keys


async def test_a_cancelled_write_leaves_the_store_usable(store: Store, key: ApiKey) -> None:
    for number in range(20):
        task = asyncio.create_task(store.add_key(replace(key, id=f"key_{number}")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await store.add_key(replace(key, id="key_last"))
    assert await store.find_key("key_last") is not None


async def test_what_was_kept_is_there_after_reopening(url: Secret, key: ApiKey) -> None:
    for has_it in (False, True):
        store = open_store(url)
        await store.open()
        assert await store.has_keys() is has_it
        await store.add_key(key)
        await store.close()


async def test_usage_is_added_up_by_the_model_that_was_asked_for(store: Store) -> None:
    one = structs.replace(RECORD, time_us=1_000, model_asked="a", in_uncached=3, in_cache_read=1, out_visible=2)
    one = structs.replace(one, in_cache_write=0, in_tool=0, out_reasoning=0)
    await store.add_usage(
        [
            structs.replace(one, id="1"),
            structs.replace(one, id="2", in_uncached=5),
            structs.replace(one, id="3", model_asked="b"),
            structs.replace(one, id="4", time_us=999),
            structs.replace(one, id="5", model_asked=None),
        ]
    )
    assert await store.usage_by_model(since_us=1_000) == [
        ("a", 2, Usage(in_uncached=8, in_cache_read=2, out_visible=4)),
        ("b", 1, Usage(in_uncached=3, in_cache_read=1, out_visible=2)),
    ]
