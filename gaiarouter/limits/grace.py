"""What was last known of budgets, for as long as the store is away.

Nobody knows then what others spend, so it is good for a while only, and of what was left then each process of the
machine may use its share. What is let in so is told with the request's record, and counts when that reaches the store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gaiarouter.store.records import BudgetState, Owed, Reservation


@dataclass(slots=True)
class _View:
    """Of one budget's period. used: spent or reserved, as the store said. taken: by this process since."""

    starts_us: int
    used: int
    heard_s: float
    taken: int = 0


class Grant:
    """What one request took. It is settled once."""

    __slots__ = ("_amount", "_views", "owed")

    def __init__(self, owed: tuple[Owed, ...], views: Sequence[_View], amount: int) -> None:
        self.owed = owed
        self._views = views
        self._amount = amount

    def settle(self, cost: int) -> None:
        for view in self._views:
            view.taken += cost - self._amount


class LastKnown:
    """grace_s: how old what is known may be. share: of how many processes this is one. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float], *, grace_s: float, share: int) -> None:
        self._clock = clock
        self._grace_s = grace_s
        self._share = share
        self._views: OrderedDict[str, _View] = OrderedDict()
        """By scope, the one heard of last at the end."""

    @property
    def known(self) -> int:
        return len(self._views)

    def heard(self, states: Iterable[BudgetState]) -> None:
        now = self._clock()
        for state in states:
            scope = state.reservation.scope
            self._views[scope] = _View(state.reservation.starts_us, state.spent + state.reserved, now)
            self._views.move_to_end(scope)
        while self._views and not self._is_good(next(iter(self._views.values())), now):
            self._views.popitem(last=False)

    def take(self, reservations: Sequence[Reservation]) -> Grant | BudgetState | None:
        """All of them. Else the one that has no room even if nobody else spends anything; None where that is not known,
        or this process's share is used up: nothing is taken then."""
        now = self._clock()
        views = [self._view(one, now) for one in reservations]
        known = [view for view in views if view is not None]
        for one, view in zip(reservations, views, strict=True):
            if view is not None and view.used + view.taken + one.amount > one.budget:
                return BudgetState(one, view.used, view.taken, refused=True)
        if len(known) < len(views) or not all(map(self._fits, reservations, known)):
            return None
        for one, view in zip(reservations, known, strict=True):
            view.taken += one.amount
        owed = tuple(Owed(one.scope, one.starts_us) for one in reservations)
        return Grant(owed, known, reservations[0].amount)

    def _view(self, one: Reservation, now: float) -> _View | None:
        view = self._views.get(one.scope)
        if view is None or view.starts_us != one.starts_us or not self._is_good(view, now):
            return None
        return view

    def _is_good(self, view: _View, now: float) -> bool:
        return now - view.heard_s < self._grace_s

    def _fits(self, one: Reservation, view: _View) -> bool:
        return view.taken + one.amount <= (one.budget - view.used) // self._share
