from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from gaiarouter.errors import Unavailable
from gaiarouter.ledger.journal import Journal
from gaiarouter.ledger.lines import Begun
from gaiarouter.ledger.writer import Ledger, Pace, Spool, ledger_of
from gaiarouter.store.base import StorageUnavailable, Store, UsageRecord
from gaiarouter.store.records import Reservation, Wanted
from gaiarouter.store.sql import Database, SqlStore
from gaiarouter.telemetry import Metrics
from tests.store.line import Line, until
from tests.store.test_store import RECORD

QUICK = Pace(batch=10, linger_s=0.001, retry_s=0.001, max_retry_s=0.004, sync_s=0.01, look_s=0.01)
BEGUN = Begun("req_0", "x", RECORD.time_us, "key_1", None, "r", "m", False, 1)


def _records(count: int) -> list[UsageRecord]:
    return [structs.replace(RECORD, id=f"req_{number}") for number in range(count)]


def die(ledger: Ledger) -> None:
    """Its process is gone, without a word."""
    assert ledger._journal._lock is not None
    os.close(ledger._journal._lock)
    ledger._journal._lock = None
    for task in ledger._tasks:
        task.cancel()


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


Make = Callable[..., Ledger]


@pytest.fixture
def make(line: Line, tmp_path: Path, metrics: Metrics) -> Make:
    def made(pace: Pace = QUICK, **options: Spool) -> Ledger:
        return Ledger(SqlStore(line), Journal(tmp_path / "ledger"), metrics=metrics, pace=pace, **options)

    return made


@pytest.fixture
async def ledger(make: Make) -> AsyncIterator[Ledger]:
    ledger = make()
    ledger.start()
    yield ledger
    await ledger.close()


async def test_records_reach_the_store_in_batches(ledger: Ledger, line: Line, store: Store) -> None:
    for record in _records(95):
        ledger.record(record)
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == 95
    assert await store.find_usage("req_94") == structs.replace(RECORD, id="req_94")
    assert line.attempts == 10 + 1  # the batches, and what the upkeep gives back


async def test_a_single_record_does_not_wait_for_company(make: Make, store: Store) -> None:
    ledger = make(Pace(linger_s=3600.0, linger_per_record_s=3600.0))
    ledger.start()
    ledger.record(RECORD)
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == 1
    await ledger.close()


async def test_an_outage_loses_nothing_and_doubles_nothing(ledger: Ledger, line: Line, store: Store) -> None:
    line.is_cut = True
    for record in _records(50):
        ledger.record(record)
    await until(lambda: line.attempts > 5)
    assert (ledger.pending, await store.count_usage()) == (50, 0)
    line.is_cut = False
    line.loses_answers = True
    await until(lambda: line.attempts > 10)
    assert ledger.pending == 50
    line.loses_answers = False
    await until(lambda: ledger.pending == 0)
    assert (await store.count_usage(), ledger.dropped) == (50, 0)


async def test_closing_writes_what_is_pending_without_lingering(make: Make, store: Store) -> None:
    ledger = make(Pace(batch=10, linger_s=3600.0, linger_per_record_s=3600.0))
    ledger.start()
    for record in _records(100):
        ledger.record(record)
    await ledger.close()
    assert (await store.count_usage(), ledger.pending, ledger.dropped) == (100, 0, 0)


async def test_closing_cuts_a_long_wait_short_and_tries_again(make: Make, line: Line, store: Store) -> None:
    ledger = make(Pace(retry_s=3600.0, max_retry_s=3600.0))
    ledger.start()
    line.is_cut = True
    ledger.record(RECORD)
    await until(lambda: line.attempts == 1)
    line.is_cut = False
    await ledger.close()
    assert (await store.count_usage(), ledger.dropped) == (1, 0)


async def test_what_the_store_did_not_take_before_the_end_is_taken_after_the_next_start(
    make: Make, line: Line, store: Store, metrics: Metrics
) -> None:
    ledger = make()
    ledger.start()
    line.is_cut = True
    for record in _records(7):
        ledger.record(record)
    await ledger.close(timeout_s=0.05)
    assert (await store.count_usage(), ledger.dropped) == (0, 0)
    line.is_cut = False
    after = make()
    after.start()
    await until(lambda: metrics.registry.get_sample_value("gaiarouter_ledger_replayed_total") == 7)
    assert await store.count_usage() == 7
    await after.close()


async def test_what_a_dead_worker_left_is_brought_in_by_another(make: Make, store: Store, tmp_path: Path) -> None:
    dead, alive = make(Pace(linger_s=3600.0, linger_per_record_s=3600.0)), make()
    dead.start()
    dead.record(structs.replace(RECORD, id="req_first"))
    await until(lambda: dead.pending == 0)
    dead.begin(BEGUN)
    for record in _records(3)[1:]:
        dead.record(record)
    die(dead)
    alive.start()
    await _stored(store, 4)
    interrupted = await store.find_usage("req_0")
    assert interrupted is not None
    assert (interrupted.outcome, interrupted.key) == ("interrupted", "key_1")
    await alive.close()
    assert _files(tmp_path / "ledger") == []


async def test_a_lack_of_descriptors_does_not_end_the_look_for_the_dead(
    make: Make, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = make()
    lacks = 0

    async def lacking(self: Journal) -> None:
        nonlocal lacks
        lacks += 1
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "sync", lacking)
        ledger.start()
        await until(lambda: lacks > 1)
    dead = make()
    dead.start()
    dead.begin(BEGUN)
    die(dead)
    await _stored(store, 1)
    await ledger.close()


async def test_the_dead_wait_while_the_store_is_away(make: Make, line: Line, store: Store) -> None:
    dead, alive = make(), make()
    dead.start()
    line.is_cut = True
    for record in _records(3):
        dead.record(record)
    die(dead)
    alive.start()
    await until(lambda: line.attempts > 3)
    assert await store.count_usage() == 0
    line.is_cut = False
    await _stored(store, 3)
    await alive.close()


async def test_a_full_spool_refuses_what_begins_and_keeps_what_ends(make: Make, line: Line, store: Store) -> None:
    ledger = make(spool=Spool(bytes=2_000))
    ledger.start()
    line.is_cut = True
    ledger.begin(BEGUN)
    for record in _records(5):
        ledger.record(record)
    with pytest.raises(Unavailable) as caught:
        ledger.begin(structs.replace(BEGUN, id="req_9"))
    assert (caught.value.code, caught.value.retry_after_s) == ("storage_unavailable", 30.0)
    assert (ledger.pending, ledger.dropped) == (5, 0)
    line.is_cut = False
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == 5
    await ledger.close()


async def test_a_small_spool_takes_new_requests_once_it_was_emptied(
    line: Line, tmp_path: Path, metrics: Metrics, store: Store
) -> None:
    ledger = ledger_of(SqlStore(line), tmp_path / "ledger", Spool(bytes=20_000), metrics, None)
    ledger.start()
    for record in _records(200):
        ledger.begin(structs.replace(BEGUN, id=record.id))
        ledger.record(record)
        if ledger.is_full:
            await until(lambda: ledger.pending == 0)
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == 200
    assert not ledger.is_full
    await ledger.close()


async def test_a_full_spool_that_may_drop_serves_on_and_counts(make: Make, line: Line, metrics: Metrics) -> None:
    ledger = make(spool=Spool(bytes=2_000, drops=True))
    ledger.start()
    line.is_cut = True
    for record in _records(10):
        ledger.begin(structs.replace(BEGUN, id=record.id))
        ledger.record(record)
    assert ledger.dropped > 0
    assert ledger.pending + ledger.dropped == 10
    assert metrics.registry.get_sample_value("gaiarouter_ledger_dropped_total") == ledger.dropped
    await ledger.close(timeout_s=0.01)


async def test_a_full_spool_that_may_drop_does_not_grow(make: Make, line: Line, store: Store) -> None:
    ledger = make(spool=Spool(bytes=2_000, drops=True))
    ledger.start()
    line.is_cut = True
    for record in _records(200):
        ledger.begin(structs.replace(BEGUN, id=record.id))
        ledger.record(record)
    assert ledger._journal.size < 2 * 2_000
    assert ledger._journal._running == {}
    kept = ledger.pending
    assert (kept + ledger.dropped, kept > 0) == (200, True)
    line.is_cut = False
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == kept
    await ledger.close()


async def test_a_full_disk_leaves_memory_and_then_refuses(
    make: Make, line: Line, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = make(spool=Spool(records=3))
    ledger.start()
    line.is_cut = True
    ledger.record(structs.replace(RECORD, id="req_before"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", _no_space)
        for record in _records(3):
            ledger.begin(structs.replace(BEGUN, id=record.id))
            ledger.record(record)
        with pytest.raises(Unavailable):
            ledger.begin(structs.replace(BEGUN, id="req_9"))
    assert (ledger.pending, ledger.dropped) == (4, 0)
    line.is_cut = False
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == 4
    ledger.begin(structs.replace(BEGUN, id="req_9"))
    ledger.record(structs.replace(RECORD, id="req_9"))
    await ledger.close()
    assert await store.count_usage() == 5


async def test_what_only_memory_has_at_the_end_is_counted_as_lost(
    make: Make, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = make()
    ledger.start()
    line.is_cut = True
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", _no_space)
        ledger.record(RECORD)
        await ledger.close(timeout_s=0.01)
    assert ledger.dropped == 1


async def test_a_folder_that_cannot_be_used_is_a_store_that_cannot(line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = Ledger(SqlStore(line), Journal(tmp_path / "file" / "ledger"), metrics=Metrics())
    with pytest.raises(StorageUnavailable, match="the ledger's folder"):
        ledger.start()


async def test_a_ledger_that_had_nothing_to_do_closes_at_once_and_leaves_nothing(
    make: Make, line: Line, tmp_path: Path
) -> None:
    ledger = make()
    ledger.start()
    await ledger.close(timeout_s=0.5)
    assert line.attempts == 0
    assert _files(tmp_path / "ledger") == []


@pytest.mark.parametrize(
    "write",
    [lambda ledger: ledger.begin(BEGUN), lambda ledger: ledger.record(RECORD)],
    ids=["a request begins", "a request ends"],
)
async def test_what_is_written_while_the_ledger_rested_is_synced_and_it_rests_again(
    make: Make, write: Callable[[Ledger], None]
) -> None:
    ledger = make(replace(QUICK, look_s=3600.0))
    ledger.start()
    await until(lambda: ledger._rests)
    write(ledger)
    assert ledger._journal.is_dirty
    await until(lambda: not ledger._journal.is_dirty)
    await until(lambda: ledger._rests)
    await ledger.close()


async def test_records_that_are_too_old_are_forgotten(
    line: Line, store: Store, tmp_path: Path, metrics: Metrics
) -> None:
    day_us = 86_400_000_000
    await store.add_usage(
        [structs.replace(RECORD, id="old", time_us=day_us), structs.replace(RECORD, id="new", time_us=9 * day_us + 1)]
    )
    ledger = Ledger(
        SqlStore(line),
        Journal(tmp_path / "ledger"),
        metrics=metrics,
        pace=QUICK,
        keep_s=86_400.0,
        wall_us=lambda: 10 * day_us,
    )
    ledger.start()
    await _stored(store, 1)
    assert await store.find_usage("new") is not None
    await ledger.close()


async def test_what_was_reserved_without_a_record_comes_back_after_an_hour(
    line: Line, store: Store, tmp_path: Path, metrics: Metrics
) -> None:
    hour_us = 3600 * 1_000_000
    for name, time_us in (("lost", 10), ("running", 11)):
        await store.reserve([Wanted(name, time_us, (Reservation("key_1", 0, 5, 100),))])
    pace = replace(QUICK, upkeep_s=0.001)
    now = [10 + hour_us]
    ledger = Ledger(SqlStore(line), Journal(tmp_path / "l"), metrics=metrics, pace=pace, wall_us=lambda: now[0])
    line.is_cut = True
    ledger.start()
    await until(lambda: line.attempts > 5)
    line.is_cut = False
    before = line.attempts
    await until(lambda: line.attempts > before + 5)
    assert await store.budget_in_use("key_1", 0) == (0, 10)
    now[0] += 1
    async with asyncio.timeout(30):
        while await store.budget_in_use("key_1", 0) != (0, 5):  # noqa: ASYNC110  # the store announces nothing
            await asyncio.sleep(0.005)
    await ledger.close()


async def test_metrics_tell_how_things_stand(ledger: Ledger, line: Line, metrics: Metrics) -> None:
    line.is_cut = True
    for record in _records(3):
        ledger.record(record)
    assert metrics.registry.get_sample_value("gaiarouter_ledger_pending") == 3
    await until(lambda: 1_000 < (metrics.registry.get_sample_value("gaiarouter_ledger_spool_bytes") or 0) < 3_000)
    line.is_cut = False


def _no_space(descriptor: int, data: bytes, at: int) -> int:
    raise OSError("no space")


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def _stored(store: Store, count: int) -> None:
    """Returns when the store holds so many records."""
    async with asyncio.timeout(30):
        while await store.count_usage() != count:  # noqa: ASYNC110  # the store announces nothing
            await asyncio.sleep(0.005)
