"""What budgets have in use: reserved before a request, settled when its record comes in.

Reservations that come together are one transaction, which has the budgets' rows to itself, so that any number of
processes never spend more than there is. A reservation lies under its record's id and time: whoever brings that, the
request's own process or the one that finds its journal, settles it, once. One whose record does not come is given back
after a while, and kept with nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import BudgetState, Reservation, UsageRecord, Wanted
from gaiarouter.store.rows import Row

_LOCK: Final = """
INSERT INTO budgets (scope, starts_us, spent, reserved) VALUES ($1, $2, 0, 0)
ON CONFLICT (scope, starts_us) DO UPDATE SET spent = budgets.spent RETURNING spent, reserved
"""
_TAKE: Final = "UPDATE budgets SET reserved = reserved + $3 WHERE scope = $1 AND starts_us = $2"
_HOLD: Final = "INSERT INTO budget_holds (id, scope, starts_us, amount, time_us) VALUES ($1, $2, $3, $4, $5)"
_OPEN: Final = "INSERT INTO budgets (scope, starts_us, spent, reserved) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING"
_OWE: Final = (
    "INSERT INTO budget_holds (id, scope, starts_us, amount, time_us) VALUES ($1, $2, $3, 0, $4) ON CONFLICT DO NOTHING"
)
_STATE: Final = "SELECT spent, reserved FROM budgets WHERE scope = $1 AND starts_us = $2"
_OF_RECORD: Final = "FROM usage_records AS r WHERE r.time_us = budget_holds.time_us AND r.id = budget_holds.id"
# not EXISTS: PostgreSQL could read all records for it; this looks each one up
_RELEASE: Final = f"""
DELETE FROM budget_holds WHERE (SELECT r.status {_OF_RECORD}) IS NOT NULL
RETURNING scope, starts_us, amount, (SELECT COALESCE(r.cost_nano_usd, 0) + COALESCE(r.lost_nano_usd, 0) {_OF_RECORD})
"""  # noqa: S608  # constants
_SETTLE: Final = """
UPDATE budgets SET reserved = reserved - $3, spent = spent + $4 WHERE scope = $1 AND starts_us = $2
"""
_LATE: Final = """
DELETE FROM budget_holds WHERE amount > 0 AND time_us < $1 RETURNING id, scope, starts_us, amount, time_us
"""
_GIVE_UP: Final = "DELETE FROM budget_holds WHERE time_us < $1 RETURNING id"
_GIVEN_UP_US: Final = 7 * 86_400_000_000
"""Nobody waits longer for a record."""


class SqlBudgets:
    """Implements BudgetTable."""

    _database: Database

    async def reserve(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[BudgetState]]:
        return await self._database.work(lambda: _reserve(wanted))

    async def give_back(self, *, before_us: int) -> int:
        return await self._database.work(lambda: _give_back(before_us))

    async def budget_in_use(self, scope: str, starts_us: int) -> tuple[int, int]:
        rows = await self._database.read(_STATE, scope, starts_us)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)


def _reserve(wanted: Sequence[Wanted]) -> Unit[Sequence[Sequence[BudgetState]]]:
    """The rows are locked first, in one order for everybody; who fits is then a matter of sums."""
    periods = sorted({(one.scope, one.starts_us) for each in wanted for one in each.reservations})
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for period in periods:
        ((spent, reserved),) = yield _LOCK, period
        found[period] = (int(spent), int(reserved))
    taken = dict.fromkeys(periods, 0)
    told: list[Sequence[BudgetState]] = []
    for each in wanted:
        states = [_state(one, *found[one.scope, one.starts_us], taken) for one in each.reservations]
        refused = [state for state in states if state.refused]
        told.append(refused[:1] or states)
        if not refused:
            for one in each.reservations:
                taken[one.scope, one.starts_us] += one.amount
                yield _HOLD, (each.record_id, one.scope, one.starts_us, one.amount, each.time_us)
    for (scope, starts_us), amount in taken.items():
        if amount:
            yield _TAKE, (scope, starts_us, amount)
    return told


def _state(one: Reservation, spent: int, reserved: int, taken: Mapping[tuple[str, int], int]) -> BudgetState:
    """With it if it fits, else without. taken: by those before it."""
    reserved += taken[one.scope, one.starts_us]
    fits = spent + reserved + one.amount <= one.budget
    return BudgetState(one, spent, reserved + one.amount * fits, refused=not fits)


def owe(records: Sequence[UsageRecord]) -> Unit[None]:
    """What was let in while nothing could be reserved, as if nothing had been: `settle` finds it. A reservation that
    was made all the same, and only its answer lost, is not made twice."""
    for scope, starts_us in sorted({(one.scope, one.starts_us) for record in records for one in record.owed}):
        yield _OPEN, (scope, starts_us)
    for record in records:
        for one in record.owed:
            yield _OWE, (record.id, one.scope, one.starts_us, record.time_us)


def settle() -> Unit[None]:
    """Every reservation whose record has come in becomes what the request cost."""
    yield from _book((yield _RELEASE, ()))


def _give_back(before_us: int) -> Unit[int]:
    """Settles first: a record may have come in while the last round put its reservation aside, and not have seen it."""
    yield from settle()
    late = yield _LATE, (before_us,)
    yield from _book([(scope, starts_us, amount, 0) for _, scope, starts_us, amount, _ in late])
    for record_id, scope, starts_us, _, time_us in late:
        yield _HOLD, (record_id, scope, starts_us, 0, time_us)
    yield _GIVE_UP, (before_us - _GIVEN_UP_US,)
    return len(late)


def _book(released: Sequence[Row]) -> Unit[None]:
    """released: scope, start of its period, what was reserved, what it became."""
    changes: dict[tuple[str, int], tuple[int, int]] = {}
    for scope, starts_us, amount, cost in released:
        reserved, spent = changes.get((scope, starts_us), (0, 0))
        changes[scope, starts_us] = (reserved + amount, spent + cost)
    for (scope, starts_us), (reserved, spent) in sorted(changes.items()):
        yield _SETTLE, (scope, starts_us, reserved, spent)
