"""What budgets have in use: reserved before a request, settled when its record comes in.

One statement takes a reservation or nothing of it, so that any number of processes never spend more than there is. A
reservation lies under its request's id: whoever brings the record of that, the request's own process or the one that
finds its journal, settles it, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import BudgetState, Reservation

_OPEN: Final = """
INSERT INTO budgets (scope, starts_us, spent, reserved) VALUES ($1, $2, 0, 0) ON CONFLICT (scope, starts_us) DO NOTHING
"""
_RESERVE: Final = """
UPDATE budgets SET reserved = reserved + $3 WHERE scope = $1 AND starts_us = $2 AND spent + reserved + $3 <= $4
RETURNING spent, reserved
"""
_HOLD: Final = "INSERT INTO budget_holds (id, scope, starts_us, amount) VALUES ($1, $2, $3, $4)"
_STATE: Final = "SELECT spent, reserved FROM budgets WHERE scope = $1 AND starts_us = $2"
_RELEASE: Final = """
DELETE FROM budget_holds WHERE EXISTS (SELECT 1 FROM usage_records WHERE usage_records.id = budget_holds.id)
RETURNING scope, starts_us, amount,
          (SELECT cost_nano_usd FROM usage_records WHERE usage_records.id = budget_holds.id)
"""
_SETTLE: Final = """
UPDATE budgets SET reserved = reserved - $3, spent = spent + $4 WHERE scope = $1 AND starts_us = $2
"""


class SqlBudgets:
    """Implements BudgetTable."""

    _database: Database

    async def reserve(self, request_id: str, reservations: Sequence[Reservation]) -> Sequence[BudgetState]:
        try:
            return await self._database.work(lambda: _reserve(request_id, reservations))
        except _DoesNotFitError as refusal:
            return (refusal.state,)

    async def budget_in_use(self, scope: str, starts_us: int) -> tuple[int, int]:
        rows = await self._database.read(_STATE, scope, starts_us)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)


class _DoesNotFitError(Exception):
    """Rolls back what else the request has reserved."""

    def __init__(self, state: BudgetState) -> None:
        super().__init__()
        self.state = state


def _reserve(request_id: str, reservations: Sequence[Reservation]) -> Unit[Sequence[BudgetState]]:
    states = []
    for each in sorted(reservations, key=lambda reservation: reservation.scope):
        yield _OPEN, (each.scope, each.starts_us)
        rows = yield _RESERVE, (each.scope, each.starts_us, each.amount, each.budget)
        if not rows:
            ((spent, reserved),) = yield _STATE, (each.scope, each.starts_us)
            raise _DoesNotFitError(BudgetState(each, int(spent), int(reserved), refused=True))
        yield _HOLD, (request_id, each.scope, each.starts_us, each.amount)
        states.append(BudgetState(each, int(rows[0][0]), int(rows[0][1]), refused=False))
    return states


def settle() -> Unit[None]:
    """Every reservation whose record has come in becomes what the request cost."""
    changes: dict[tuple[str, int], tuple[int, int]] = {}
    for scope, starts_us, amount, cost in (yield _RELEASE, ()):
        reserved, spent = changes.get((scope, starts_us), (0, 0))
        changes[scope, starts_us] = (reserved + amount, spent + (cost or 0))
    for (scope, starts_us), (reserved, spent) in sorted(changes.items()):
        yield _SETTLE, (scope, starts_us, reserved, spent)
