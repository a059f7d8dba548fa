"""Budgets: money that a key or an organization may spend in a day, a week, a month, or at all.

A request reserves what it may cost at most before it goes out, in one transaction of the store, and is settled with
what it did cost when its record comes in. So any number of processes together never spend more than the budget. Periods
are calendar periods in UTC; weeks begin on Monday.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from gaiarouter.errors import BudgetExceeded, Unavailable
from gaiarouter.limits.grace import Grant, LastKnown
from gaiarouter.limits.reserving import Reserving
from gaiarouter.store.base import ApiKey, StorageUnavailable
from gaiarouter.store.records import Budget, BudgetState, Period, Reservation, Wanted
from gaiarouter.store.tables.protocols import BudgetTable
from gaiarouter.telemetry import Metrics

_log = structlog.get_logger("gaiarouter.budgets")

_WAIT_S: Final = 1.0
_SOFT: Final = 0.8
_NANO: Final = 1_000_000_000
_RETRY_S: Final = 1.0
_MOST: Final = 2 * 10**18
"""Nano-dollars: more than any budget, and fit for a database together with one."""


class Budgets:
    """wall_us: periods are of the calendar. is_away: whether the store is known not to answer; one that is slow once is
    not away. last: what is gone by then."""

    def __init__(
        self,
        table: BudgetTable,
        metrics: Metrics,
        wall_us: Callable[[], int],
        *,
        is_away: Callable[[], bool],
        last: LastKnown,
    ) -> None:
        self._reserving = Reserving(table)
        self._metrics = metrics
        self._wall_us = wall_us
        self._is_away = is_away
        self._last = last

    async def reserve(self, record_id: str, key: ApiKey, amount: int, *, time_us: int) -> Grant | None:
        """Nano-dollars, of every budget that holds for the key, until the record of that id and time comes. Raises
        BudgetExceeded, and then has reserved nothing; Unavailable where nobody knows what is left. While the store is
        away, what was let in without it: to be settled, and told with the record."""
        reservations = tuple(_reservations(key, amount, self._wall_us()))
        if not reservations:
            return None
        if self._is_away():
            return self._by_last_known(reservations, key)
        try:
            async with asyncio.timeout(_WAIT_S):
                states = await self._reserving.reserve(Wanted(record_id, time_us, reservations))
        except (StorageUnavailable, TimeoutError) as error:
            if self._is_away():
                return self._by_last_known(reservations, key)
            raise _unknown() from error
        self._last.heard(states)
        for state in states:
            self._judge(state, key)
        return None

    def _by_last_known(self, reservations: Sequence[Reservation], key: ApiKey) -> Grant:
        taken = self._last.take(reservations)
        if taken is None:
            raise _unknown()
        if isinstance(taken, BudgetState):
            raise self._refused(taken, key)
        self._metrics.budget_grace.inc()
        return taken

    def _judge(self, state: BudgetState, key: ApiKey) -> None:
        if state.refused:
            raise self._refused(state, key)
        if state.spent + state.reserved >= _SOFT * state.reservation.budget:
            self._metrics.budget_warnings.labels(_whose(state, key)).inc()
            _log.warning("budget.nearly_spent", scope=state.reservation.scope, left_usd=state.left / _NANO)

    def _refused(self, state: BudgetState, key: ApiKey) -> BudgetExceeded:
        whose = _whose(state, key)
        self._metrics.budget_refusals.labels(whose).inc()
        return _exceeded(state, key, whose)


def _whose(state: BudgetState, key: ApiKey) -> str:
    return "key" if state.reservation.scope == key.id else "organization"


def _unknown() -> Unavailable:
    return Unavailable(
        "What is left of the budget cannot be looked up now.", code="storage_unavailable", retry_after_s=_RETRY_S
    )


def period_of(now_us: int, period: Period) -> tuple[int, int | None]:
    """Where it began and where the next begins, in microseconds; None for what never does."""
    if period == "total":
        return 0, None
    day = datetime.fromtimestamp(now_us / 1e6, tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        start, end = day, day + timedelta(days=1)
    elif period == "week":
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    else:
        start = day.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    return _us(start), _us(end)


def _us(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000


def _budgets(key: ApiKey) -> Iterator[tuple[str, Budget]]:
    if key.budget is not None:
        yield key.id, key.budget
    if key.tenant is not None and key.tenant.budget is not None:
        yield key.tenant.id, key.tenant.budget


def _reservations(key: ApiKey, amount: int, now_us: int) -> Iterator[Reservation]:
    for scope, budget in _budgets(key):
        starts_us, _ = period_of(now_us, budget.period)
        yield Reservation(scope, starts_us, min(amount, _MOST), budget.amount_nano_usd)


def _exceeded(state: BudgetState, key: ApiKey, whose: str) -> BudgetExceeded:
    budget = dict(_budgets(key))[state.reservation.scope]
    name = key.name if whose == "key" or key.tenant is None else key.tenant.name
    _, ends_us = period_of(max(1, state.reservation.starts_us), budget.period)
    resets = "It does not reset."
    if ends_us is not None:
        resets = f"It resets at {datetime.fromtimestamp(ends_us / 1e6, tz=UTC):%Y-%m-%dT%H:%M:%SZ}."
    span = "in all" if budget.period == "total" else f"a {budget.period}"
    return BudgetExceeded(
        f"The budget of {whose} {name[:64]!r} is {_dollars(budget.amount_nano_usd)} {span}, of which "
        f"{_dollars(state.left)} is left; this request may cost {_dollars(state.reservation.amount)}. {resets}"
    )


def _dollars(nano: int) -> str:
    return f"${nano / _NANO:.6f}".rstrip("0").rstrip(".")
