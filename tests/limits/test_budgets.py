"""Periods of the calendar, and what a caller is told whose budget is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gaiarouter.errors import BudgetExceeded, Unavailable
from gaiarouter.limits.budgets import Budgets, period_of
from gaiarouter.limits.grace import Grant, LastKnown
from gaiarouter.store.base import ApiKey, StorageUnavailable
from gaiarouter.store.records import Budget, BudgetState, Organization, Owed, Period, Reservation, Wanted
from gaiarouter.telemetry import Metrics

DOLLAR = 1_000_000_000
KEY = ApiKey(id="key_1", name="Ada", secret_hash=b"", created_us=0)
TENANT = Organization(id="org_1", name="Acme", created_us=0, updated_us=0, budget=Budget(100 * DOLLAR, "month"))


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        ("day", "2026-11-28T22:15:01", "2026-11-28", "2026-11-29"),
        ("day", "2026-11-28T00:00:00", "2026-11-28", "2026-11-29"),
        ("day", "2026-12-31T23:59:59", "2026-12-31", "2027-01-01"),
        ("week", "2026-11-28T22:15:01", "2026-11-23", "2026-11-30"),
        ("week", "2026-11-23T00:00:00", "2026-11-23", "2026-11-30"),
        ("week", "2027-01-02T00:00:00", "2026-12-28", "2027-01-04"),
        ("month", "2026-11-28T22:15:01", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_a_period_is_of_the_calendar_in_utc(period: Period, now: str, start: str, end: str) -> None:
    assert period_of(us(now), period) == (us(start), us(end))


def test_a_total_never_begins_again() -> None:
    assert period_of(us("2026-11-28"), "total") == (0, None)


class Table:
    """Answers as it is told to."""

    def __init__(self, *, spent: int = 0, reserved: int = 0, error: Exception | None = None) -> None:
        self.asked: list[Reservation] = []
        self._spent, self._reserved, self._error = spent, reserved, error

    async def reserve(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[BudgetState]]:
        assert [(each.record_id, each.time_us) for each in wanted] == [("rec_1", 5)]
        (each,) = wanted
        self.asked += each.reservations
        if self._error is not None:
            raise self._error
        states = []
        for one in each.reservations:
            fits = self._spent + self._reserved + one.amount <= one.budget
            states.append(BudgetState(one, self._spent, self._reserved + one.amount * fits, refused=not fits))
        return [states]

    async def budget_in_use(self, scope: str, starts_us: int) -> tuple[int, int]:
        return self._spent, self._reserved


def budgets(table: Table, metrics: Metrics | None = None) -> Budgets:
    return Outage(table, metrics).budgets


class Outage:
    """Budgets whose store can go away, with a clock of their own."""

    def __init__(self, table: Table, metrics: Metrics | None = None, *, grace_s: float = 300.0, share: int = 1) -> None:
        self.away = False
        self.now = 1000.0
        self.wall_us = us("2026-11-28T22:15:01")
        last = LastKnown(lambda: self.now, grace_s=grace_s, share=share)
        self.budgets = Budgets(table, metrics or Metrics(), lambda: self.wall_us, is_away=lambda: self.away, last=last)

    async def admits(self, key: ApiKey, amount: int) -> Grant:
        grant = await self.budgets.reserve("rec_1", key, amount, time_us=5)
        assert grant is not None
        return grant

    async def refuses(self, key: ApiKey, amount: int) -> str | None:
        with pytest.raises((Unavailable, BudgetExceeded)) as caught:
            await self.budgets.reserve("rec_1", key, amount, time_us=5)
        return caught.value.code


async def test_both_the_keys_budget_and_its_organizations_are_reserved() -> None:
    table = Table()
    key = replace(KEY, budget=Budget(5 * DOLLAR, "day"), tenant=TENANT)
    await budgets(table).reserve("rec_1", key, 7, time_us=5)
    assert table.asked == [
        Reservation("key_1", us("2026-11-28"), 7, 5 * DOLLAR),
        Reservation("org_1", us("2026-11-01"), 7, 100 * DOLLAR),
    ]


async def test_without_a_budget_nobody_is_asked() -> None:
    table = Table()
    await budgets(table).reserve("rec_1", KEY, 7, time_us=5)
    assert table.asked == []


async def test_a_refusal_says_what_is_left_and_when_it_resets_and_not_to_try_again() -> None:
    metrics = Metrics()
    key = replace(KEY, budget=Budget(5 * DOLLAR, "week"))
    with pytest.raises(BudgetExceeded) as caught:
        await budgets(Table(spent=4 * DOLLAR, reserved=DOLLAR // 2), metrics).reserve("rec_1", key, DOLLAR, time_us=5)
    error = caught.value
    assert (error.status, error.code, error.should_retry, error.retry_after_s) == (429, "budget_exceeded", False, None)
    assert error.message == (
        "The budget of key 'Ada' is $5 a week, of which $0.5 is left; this request may cost $1. "
        "It resets at 2026-11-30T00:00:00Z."
    )
    assert metrics.registry.get_sample_value("gaiarouter_budget_refusals_total", {"scope": "key"}) == 1


async def test_a_spent_total_does_not_reset_and_an_organization_is_named() -> None:
    key = replace(KEY, tenant=replace(TENANT, budget=Budget(DOLLAR, "total")))
    with pytest.raises(BudgetExceeded, match=r"organization 'Acme' is \$1 in all, of which \$0 is left.*not reset"):
        await budgets(Table(spent=2 * DOLLAR)).reserve("rec_1", key, 1, time_us=5)


async def test_the_last_fifth_is_counted() -> None:
    metrics = Metrics()
    key = replace(KEY, budget=Budget(10, "day"))
    await budgets(Table(spent=6), metrics).reserve("rec_1", key, 1, time_us=5)
    assert metrics.registry.get_sample_value("gaiarouter_budget_soft_threshold_total", {"scope": "key"}) is None
    await budgets(Table(spent=6), metrics).reserve("rec_1", key, 2, time_us=5)
    assert metrics.registry.get_sample_value("gaiarouter_budget_soft_threshold_total", {"scope": "key"}) == 1


async def test_what_no_budget_could_hold_is_a_number_that_a_database_takes() -> None:
    table = Table()
    key = replace(KEY, budget=Budget(10**18, "day"))
    with pytest.raises(BudgetExceeded):
        await budgets(table).reserve("rec_1", key, 10**40, time_us=5)
    assert 10**18 < table.asked[0].amount < 2**62


@pytest.mark.parametrize("error", [StorageUnavailable("away"), TimeoutError()], ids=["away", "late"])
async def test_where_the_store_does_not_answer_nobody_spends(error: Exception) -> None:
    key = replace(KEY, budget=Budget(10, "day"))
    with pytest.raises(Unavailable) as caught:
        await budgets(Table(error=error)).reserve("rec_1", key, 1, time_us=5)
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")


DAILY = replace(KEY, budget=Budget(100, "day"))


async def test_while_the_store_is_away_a_budget_goes_on_by_what_was_left_when_it_was_last_asked() -> None:
    metrics = Metrics()
    outage = Outage(Table(spent=20, reserved=10), metrics)
    assert await outage.budgets.reserve("rec_1", DAILY, 10, time_us=5) is None
    outage.away = True
    grant = await outage.admits(DAILY, 40)
    assert grant.owed == (Owed("key_1", us("2026-11-28")),)
    assert await outage.refuses(DAILY, 21) == "budget_exceeded"
    await outage.admits(DAILY, 20)
    assert await outage.refuses(DAILY, 1) == "budget_exceeded"
    grant.settle(15)
    await outage.admits(DAILY, 25)
    assert await outage.refuses(DAILY, 1) == "budget_exceeded"
    assert metrics.registry.get_sample_value("gaiarouter_budget_grace_total") == 3
    assert metrics.registry.get_sample_value("gaiarouter_budget_refusals_total", {"scope": "key"}) == 3


async def test_what_is_known_of_a_budget_is_good_for_the_grace_and_no_longer() -> None:
    outage = Outage(Table(), grace_s=60.0)
    await outage.budgets.reserve("rec_1", DAILY, 1, time_us=5)
    outage.away, outage.now = True, 1059.9
    await outage.admits(DAILY, 1)
    outage.now = 1060.0
    assert await outage.refuses(DAILY, 1) == "storage_unavailable"


async def test_without_a_grace_nobody_spends_while_the_store_is_away() -> None:
    outage = Outage(Table(), grace_s=0.0)
    await outage.budgets.reserve("rec_1", DAILY, 1, time_us=5)
    outage.away = True
    assert await outage.refuses(DAILY, 1) == "storage_unavailable"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(replace(DAILY, id="key_2"), id="never asked"),
        pytest.param(replace(DAILY, tenant=TENANT), id="of two budgets one was never asked"),
        pytest.param(replace(KEY, budget=Budget(100, "week")), id="of another period"),
    ],
)
async def test_nobody_spends_of_a_budget_that_is_not_known(key: ApiKey) -> None:
    outage = Outage(Table())
    await outage.budgets.reserve("rec_1", DAILY, 1, time_us=5)
    outage.away = True
    assert await outage.refuses(key, 1) == "storage_unavailable"
    await outage.admits(DAILY, 99)


async def test_each_process_of_a_machine_has_its_share_of_what_was_left() -> None:
    outage = Outage(Table(spent=40), share=4)
    await outage.budgets.reserve("rec_1", DAILY, 10, time_us=5)
    outage.away = True
    await outage.admits(DAILY, 12)
    assert await outage.refuses(DAILY, 1) == "storage_unavailable", "others may still have room"
    assert await outage.refuses(DAILY, 39) == "budget_exceeded"


async def test_when_the_store_is_back_it_is_asked_again() -> None:
    table = Table()
    outage = Outage(table)
    await outage.budgets.reserve("rec_1", DAILY, 1, time_us=5)
    outage.away = True
    grant = await outage.admits(DAILY, 99)
    outage.away = False
    assert await outage.budgets.reserve("rec_1", DAILY, 1, time_us=5) is None
    assert len(table.asked) == 2
    grant.settle(0)
    outage.away = True
    await outage.admits(DAILY, 99)


async def test_budgets_that_nobody_asks_for_any_more_are_forgotten() -> None:
    last = LastKnown(lambda: now, grace_s=60.0, share=1)
    for number in range(1000):
        now = float(number)
        last.heard([BudgetState(Reservation(f"key_{number}", 0, 1, 100), 0, 1, refused=False)])
    assert last.known == 60
