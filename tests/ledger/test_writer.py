from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gaiarouter.ledger.writer import Ledger, Pace
from gaiarouter.store.base import Store, UsageRecord
from gaiarouter.store.sql import Database, SqlStore
from tests.store.line import Line, until
from tests.store.test_store import RECORD

QUICK = Pace(batch=10, linger_s=0.001, retry_s=0.001, max_retry_s=0.004)


def _records(count: int) -> list[UsageRecord]:
    return [replace(RECORD, id=f"req_{number}") for number in range(count)]


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


@pytest.fixture
async def ledger(line: Line) -> AsyncIterator[Ledger]:
    ledger = Ledger(SqlStore(line), pace=QUICK)
    ledger.start()
    yield ledger
    await ledger.close()


async def test_records_reach_the_store_in_batches(ledger: Ledger, line: Line, store: Store) -> None:
    for record in _records(95):
        ledger.record(record)
    await until(lambda: ledger.pending == 0)
    assert await store.count_usage() == 95
    assert await store.find_usage("req_94") == replace(RECORD, id="req_94")
    assert line.attempts == 10


async def test_a_single_record_does_not_wait_for_company(line: Line, store: Store) -> None:
    ledger = Ledger(SqlStore(line), pace=Pace(linger_s=3600.0, linger_per_record_s=3600.0))
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


async def test_what_does_not_fit_is_counted_and_told(line: Line, store: Store) -> None:
    told: list[int] = []
    ledger = Ledger(SqlStore(line), capacity=3, pace=QUICK, on_drop=told.append)
    for record in _records(5):
        ledger.record(record)
    assert (ledger.pending, ledger.dropped, told) == (3, 2, [1, 1])
    ledger.start()
    await ledger.close()
    assert await store.count_usage() == 3
    assert await store.find_usage("req_0") is not None


async def test_closing_writes_what_is_pending_without_lingering(line: Line, store: Store) -> None:
    ledger = Ledger(SqlStore(line), pace=Pace(batch=10, linger_s=3600.0, linger_per_record_s=3600.0))
    ledger.start()
    for record in _records(100):
        ledger.record(record)
    await ledger.close()
    assert (await store.count_usage(), ledger.pending, ledger.dropped) == (100, 0, 0)


async def test_closing_cuts_a_long_wait_short_and_tries_again(line: Line, store: Store) -> None:
    ledger = Ledger(SqlStore(line), pace=Pace(retry_s=3600.0, max_retry_s=3600.0))
    ledger.start()
    line.is_cut = True
    ledger.record(RECORD)
    await until(lambda: line.attempts == 1)
    line.is_cut = False
    await ledger.close()
    assert (await store.count_usage(), ledger.dropped) == (1, 0)


async def test_closing_ends_in_time_while_the_store_is_away_and_counts_what_is_lost(line: Line) -> None:
    told: list[int] = []
    ledger = Ledger(SqlStore(line), pace=QUICK, on_drop=told.append)
    ledger.start()
    line.is_cut = True
    for record in _records(7):
        ledger.record(record)
    await ledger.close(timeout_s=0.05)
    assert (ledger.pending, ledger.dropped, told) == (0, 7, [7])


async def test_a_ledger_that_had_nothing_to_do_closes_at_once(line: Line) -> None:
    ledger = Ledger(SqlStore(line))
    ledger.start()
    await ledger.close(timeout_s=0.5)
    assert line.attempts == 0
