from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gaiarouter.errors import Unauthenticated, Unavailable
from gaiarouter.store.base import ApiKey, Store
from gaiarouter.store.commands import create_key
from gaiarouter.store.database import Database
from gaiarouter.store.keyring import KeyRing
from gaiarouter.store.keys import MintedKey, mint
from gaiarouter.store.sql import SqlStore
from tests.store.conftest import Clock
from tests.store.line import Line, until


def _forged(key: MintedKey) -> str:
    """Another secret for the same id."""
    return mint(public_id=key.id.removeprefix("key_")).text


async def test_a_key_is_found_once_in_the_store_and_then_in_memory(ring: KeyRing, line: Line, alice: MintedKey) -> None:
    assert ring.peek(alice.text) is None
    assert (await ring.find(alice.text)).name == "alice"
    found = ring.peek(alice.text)
    assert found is not None
    assert found.name == "alice"
    assert await ring.find(alice.text) is found
    assert line.look_ups == [alice.id]


async def test_every_wrong_key_gets_the_same_answer(
    ring: KeyRing, store: Store, alice: MintedKey, clock: Clock
) -> None:
    expired = await create_key(store, name="expired", now_us=clock.wall_us(), expires_us=clock.wall_us() + 1)
    revoked = await create_key(store, name="revoked", now_us=clock.wall_us())
    await store.revoke_key(revoked.id, now_us=clock.wall_us())
    clock.advance(1)
    wrong = ["", "sk-other", "\udcff", "é", alice.text[:-1], mint().text, _forged(alice), expired.text, revoked.text]
    answers = set()
    for text in [*wrong, *wrong]:
        assert ring.peek(text) is None
        with pytest.raises(Unauthenticated) as caught:
            await ring.find(text)
        answers.add((caught.value.message, caught.value.status, caught.value.code))
    assert len(answers) == 1


async def test_what_cannot_be_right_costs_no_look_up(ring: KeyRing, line: Line, alice: MintedKey) -> None:
    await ring.find(alice.text)
    line.look_ups.clear()
    for text in ["", "sk-gaia-nonsense", alice.text[:-1], _forged(alice), _forged(alice)]:
        with pytest.raises(Unauthenticated):
            await ring.find(text)
    assert line.look_ups == []


@pytest.mark.parametrize(("after_s", "look_ups"), [(59.9, 1), (60.1, 2)])
async def test_a_record_is_read_again_after_a_minute(
    ring: KeyRing, line: Line, alice: MintedKey, clock: Clock, after_s: float, look_ups: int
) -> None:
    await ring.find(alice.text)
    clock.advance(after_s)
    await ring.find(alice.text)
    assert len(line.look_ups) == look_ups


@pytest.mark.parametrize(("after_s", "look_ups"), [(9.9, 1), (10.1, 2)])
async def test_an_unknown_key_is_remembered_for_ten_seconds(
    ring: KeyRing, line: Line, clock: Clock, after_s: float, look_ups: int
) -> None:
    unknown = mint().text
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await ring.find(unknown)
        clock.advance(after_s)
    assert len(line.look_ups) == look_ups


async def test_a_flood_of_unknown_keys_takes_bounded_memory_and_evicts_no_right_one(
    line: Line, alice: MintedKey, clock: Clock
) -> None:
    ring = KeyRing(SqlStore(line), clock=clock.monotonic, wall_us=clock.wall_us, max_unknown=10)
    await ring.find(alice.text)
    flood = [mint().text for _ in range(50)]
    for text in flood:
        with pytest.raises(Unauthenticated):
            await ring.find(text)
    line.look_ups.clear()
    for text in reversed(flood[-12:]):
        with pytest.raises(Unauthenticated):
            await ring.find(text)
    assert len(line.look_ups) == 2
    assert ring.peek(alice.text) is not None


async def test_look_ups_of_one_key_are_one_look_up(ring: KeyRing, line: Line, alice: MintedKey) -> None:
    found = await asyncio.gather(*(ring.find(alice.text) for _ in range(50)))
    assert {record.id for record in found} == {alice.id}
    assert line.look_ups == [alice.id]


async def test_a_caller_that_hangs_up_does_not_end_the_look_up_of_another(
    ring: KeyRing, line: Line, alice: MintedKey
) -> None:
    line.held = asyncio.Event()
    gone = asyncio.create_task(ring.find(alice.text))
    waits = asyncio.create_task(ring.find(alice.text))
    await until(lambda: line.look_ups == [alice.id])
    gone.cancel()
    await asyncio.wait([gone])
    line.held.set()
    assert (await waits).id == alice.id
    assert gone.cancelled()


@pytest.mark.parametrize("offset_us", [-1, 0])
async def test_expiry_is_checked_at_every_use(ring: KeyRing, store: Store, clock: Clock, offset_us: int) -> None:
    key = await create_key(store, name="short", now_us=clock.wall_us(), expires_us=clock.wall_us() + 5_000_000)
    await ring.find(key.text)
    clock.epoch_us += 5_000_000 + offset_us
    if offset_us < 0:
        assert ring.peek(key.text) is not None
    else:
        assert ring.peek(key.text) is None
        with pytest.raises(Unauthenticated):
            await ring.find(key.text)


async def test_a_forgotten_key_is_read_anew(ring: KeyRing, store: Store, alice: MintedKey, clock: Clock) -> None:
    await ring.find(alice.text)
    await store.revoke_key(alice.id, now_us=clock.wall_us())
    assert ring.peek(alice.text) is not None
    ring.forget(alice.id)
    assert ring.peek(alice.text) is None
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)


async def test_a_key_made_after_it_was_tried_works_once_announced(ring: KeyRing, store: Store, key: ApiKey) -> None:
    early = mint()
    with pytest.raises(Unauthenticated):
        await ring.find(early.text)
    await store.add_key(replace(key, id=early.id, secret_hash=early.secret_hash))
    ring.forget(early.id)
    assert (await ring.find(early.text)).id == early.id


async def test_a_record_that_was_read_before_a_revocation_is_not_kept_after_it(
    ring: KeyRing, line: Line, store: Store, alice: MintedKey, clock: Clock
) -> None:
    line.held = asyncio.Event()
    early = asyncio.create_task(ring.find(alice.text))
    await until(lambda: line.look_ups == [alice.id])
    await store.find_key(alice.id)  # the early look-up has been answered before this one
    await store.revoke_key(alice.id, now_us=clock.wall_us())
    ring.forget(alice.id)
    line.held.set()
    await early
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)


async def test_a_key_revoked_by_another_process_stops_at_the_next_round(
    ring: KeyRing, store: Store, alice: MintedKey, clock: Clock
) -> None:
    await ring.find(alice.text)
    await store.revoke_key(alice.id, now_us=clock.wall_us())
    await ring.tend()
    assert ring.peek(alice.text) is None
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)


async def test_the_watch_runs_by_itself(store: Store, alice: MintedKey) -> None:
    ring = KeyRing(store)
    await ring.find(alice.text)
    await store.revoke_key(alice.id, now_us=1_900_000_000_000_000)
    ring.start()
    await until(lambda: ring.peek(alice.text) is None)
    await ring.close()


async def test_known_keys_work_on_while_the_store_is_away_and_others_are_told_503(
    ring: KeyRing, line: Line, alice: MintedKey, store: Store, clock: Clock
) -> None:
    bob = await create_key(store, name="bob", now_us=clock.wall_us())
    await ring.find(alice.text)
    line.is_cut = True
    clock.advance(899)
    assert (await ring.find(alice.text)).id == alice.id
    assert ring.storage_away
    assert ring.peek(alice.text) is not None
    with pytest.raises(Unauthenticated):
        await ring.find(_forged(alice))
    with pytest.raises(Unavailable) as caught:
        await ring.find(bob.text)
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert caught.value.retry_after_s is not None


async def test_a_key_that_is_too_stale_is_told_503(ring: KeyRing, line: Line, alice: MintedKey, clock: Clock) -> None:
    await ring.find(alice.text)
    line.is_cut = True
    clock.advance(901)
    with pytest.raises(Unavailable):
        await ring.find(alice.text)
    line.is_cut = False
    assert (await ring.find(alice.text)).id == alice.id


async def test_while_the_store_is_known_to_be_away_known_keys_do_not_wait_for_it(
    ring: KeyRing, line: Line, alice: MintedKey, clock: Clock
) -> None:
    await ring.find(alice.text)
    line.is_cut = True
    await ring.tend()
    line.look_ups.clear()
    clock.advance(300)
    for _ in range(10):
        assert (await ring.find(alice.text)).id == alice.id
    assert line.look_ups == []


async def test_after_an_outage_records_are_read_again(
    ring: KeyRing, line: Line, store: Store, alice: MintedKey, clock: Clock
) -> None:
    await ring.find(alice.text)
    line.is_cut = True
    await ring.tend()
    clock.advance(600)
    await store.revoke_key(alice.id, now_us=clock.wall_us())
    assert ring.peek(alice.text) is not None
    line.is_cut = False
    await ring.tend()
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)


async def test_each_change_of_the_store_s_state_is_told_once(line: Line, alice: MintedKey, clock: Clock) -> None:
    told: list[str | None] = []
    ring = KeyRing(SqlStore(line), clock=clock.monotonic, wall_us=clock.wall_us, on_storage_away=told.append)
    for is_cut in (False, True, True, False, False, True):
        line.is_cut = is_cut
        await ring.tend()
    assert told == ["cut", None, "cut"]


async def test_a_store_that_takes_no_writes_is_away_until_it_does(line: Line, alice: MintedKey, clock: Clock) -> None:
    """As on a full disk: that it can be read all the while is no reason to say every second that it is back."""
    told: list[str | None] = []
    ring = KeyRing(SqlStore(line), clock=clock.monotonic, wall_us=clock.wall_us, on_storage_away=told.append)
    await ring.find(alice.text)
    for line.loses_answers in (True, True, True, False, False):
        await ring.tend()
    assert told == ["the answer was lost", None]


async def test_the_time_of_use_reaches_the_store_also_after_an_outage(
    ring: KeyRing, line: Line, store: Store, alice: MintedKey, clock: Clock
) -> None:
    await ring.find(alice.text)
    clock.advance(5)
    ring.peek(alice.text)
    used_us = clock.wall_us()
    line.is_cut = True
    await ring.tend()
    await ring._flush_used()
    line.is_cut = False
    clock.advance(5)
    await ring.close()
    record = await store.find_key(alice.id)
    assert record is not None
    assert record.last_used_us == used_us


async def test_a_key_with_a_new_secret_works_after_a_minute_and_the_old_one_no_more(
    ring: KeyRing, database: Database, alice: MintedKey, clock: Clock
) -> None:
    await ring.find(alice.text)
    rotated = mint(public_id=alice.id.removeprefix("key_"))
    await database.write("UPDATE api_keys SET secret_hash = $1", rotated.secret_hash.hex())
    clock.advance(61)
    assert (await ring.find(rotated.text)).id == alice.id
    assert ring.peek(alice.text) is None
    with pytest.raises(Unauthenticated):
        await ring.find(alice.text)


async def test_wrong_secrets_for_one_key_cost_one_look_up_a_minute(
    ring: KeyRing, line: Line, alice: MintedKey, clock: Clock
) -> None:
    for _ in range(3):
        for _ in range(20):
            with pytest.raises(Unauthenticated):
                await ring.find(_forged(alice))
        clock.advance(61)
    assert len(line.look_ups) == 3


async def test_what_has_not_been_used_for_long_leaves_memory(ring: KeyRing, alice: MintedKey, clock: Clock) -> None:
    await ring.find(alice.text)
    clock.advance(901)
    await ring.tend()
    assert (ring._known, ring._by_digest) == ({}, {})
