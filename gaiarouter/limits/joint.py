"""Limits that hold over all workers and replicas together, counted in Redis: all of a request's in one round trip.

While Redis is away each process goes on with its own share, and a metric says so: nobody is let in without a limit, and
nobody shut out. What was taken there and never settled runs out by itself: slots are kept for seconds only, and renewed
as long as their process lives.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import LimitExceeded
from gaiarouter.limits.base import Lease, Limiter, Window
from gaiarouter.limits.memory import too_many_running, used_up
from gaiarouter.limits.scripts import RENEW, SETTLE, TAKE
from gaiarouter.limits.together import Together
from gaiarouter.store.base import StorageUnavailable
from gaiarouter.telemetry import Metrics

_log = structlog.get_logger("gaiarouter.limits")

_SLOT_S: Final = 20.0
"""After so long a slot that nobody gave back or renewed is another's."""
_RENEWALS: Final = 4
"""In that time: an answer may be lost."""
_AT_ONCE: Final = 500
_MOST_OWED: Final = 10_000
_REST_S: Final = 1.0
"""Between two tries while Redis is away."""


class Scripts(Protocol):
    async def run(self, script: str, keys: Sequence[str], values: Sequence[str | int | float]) -> Any:
        """Raises StorageUnavailable."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose limits. kind: `key` or `organization`."""

    kind: str
    id: str
    name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class _Limit:
    holder: Holder
    what: str
    key: str
    amount: int
    limit: int
    rate: float

    @property
    def is_window(self) -> bool:
        return self.what != "concurrent"


class SharedLimits:
    """fallback: this process's share, for as long as Redis is away. clock: monotonic seconds. slot_s: how long a slot
    outlives its process."""

    def __init__(
        self,
        scripts: Scripts,
        fallback: Limiter,
        metrics: Metrics,
        clock: Callable[[], float],
        *,
        slot_s: float = _SLOT_S,
    ) -> None:
        self._scripts = scripts
        self._fallback = fallback
        self._metrics = metrics
        self._clock = clock
        self._slot_s = slot_s
        self._away_until = 0.0
        self._held: set[tuple[str, str]] = set()
        """Slots, by their key and the request that has it."""
        self._renewing: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._owed: deque[tuple[str, _Limit]] = deque(maxlen=_MOST_OWED)
        """Slots that the server may still hold for requests of ours that hold none; it is told when it is heard."""

    async def claim(self, request_id: str, holders: Sequence[Holder], tokens: int, local: Lease) -> Lease:
        """Takes a request, a slot and the tokens of every holder, or nothing. Raises LimitExceeded. local: is settled
        together with what this takes, and until then by who holds it."""
        limits = [limit for holder in holders for limit in _limits(holder, tokens)]
        if not limits:
            return local
        if self._clock() < self._away_until:
            return self._fall_back(holders, tokens, local)
        try:
            told = [
                float(text) for text in await self._scripts.run(TAKE, _keys(limits), self._asked(request_id, limits))
            ]
        except StorageUnavailable as error:
            self._owe(request_id, limits)  # they may have been taken, and only the answer was lost
            self._went_away(error)
            return self._fall_back(holders, tokens, local)
        except asyncio.CancelledError:
            self._owe(request_id, limits)
            self._pay()
            raise
        self._pay()
        refused, wait_s, *levels = told
        if refused:
            raise _refusal(limits[int(refused) - 1], wait_s, limits, levels)
        self._hold(request_id, limits)
        return _SharedLease(self, request_id, limits, levels, local)

    def settle(self, request_id: str, limits: Sequence[_Limit], tokens: int) -> None:
        """Never waits: it is called while a caller may already have hung up."""
        self._held.difference_update(_slots(request_id, limits))
        task = asyncio.get_running_loop().create_task(self._settle(request_id, limits, tokens))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        if self._settling:
            await asyncio.wait(self._settling, timeout=1.0)
        await self._scripts.close()

    async def _settle(self, request_id: str, limits: Sequence[_Limit], tokens: int) -> None:
        values: list[str | int | float] = [request_id]
        touched = [limit for limit in limits if limit.what != "requests"]
        for limit in touched:
            values += ["window", tokens - limit.amount, limit.rate] if limit.is_window else ["slots", 0, 0]
        if not touched:
            return
        try:
            await self._scripts.run(SETTLE, _keys(touched), values)
        except StorageUnavailable as error:
            self._owe(request_id, touched)
            self._went_away(error)

    def _asked(self, request_id: str, limits: Sequence[_Limit]) -> list[str | int | float]:
        values: list[str | int | float] = [request_id, self._slot_s]
        for limit in limits:
            values += ["window" if limit.is_window else "slots", limit.amount, limit.limit, limit.rate]
        return values

    def _hold(self, request_id: str, limits: Sequence[_Limit]) -> None:
        held = _slots(request_id, limits)
        self._held.update(held)
        if held and self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew(), name="limits-renew")

    async def _renew(self) -> None:
        """A server that lost them has them again by it."""
        while True:
            await asyncio.sleep(self._slot_s / _RENEWALS)
            held = list(self._held)
            for start in range(0, len(held), _AT_ONCE):
                some = [slot for slot in held[start : start + _AT_ONCE] if slot in self._held]
                try:
                    await self._scripts.run(RENEW, [key for key, _ in some], [self._slot_s, *(of for _, of in some)])
                except StorageUnavailable as error:
                    self._went_away(error)
                    break

    def _owe(self, request_id: str, limits: Sequence[_Limit]) -> None:
        """Of windows nothing: what was taken there goes by itself, and must not be given back twice."""
        self._owed.extend((request_id, limit) for limit in limits if not limit.is_window)

    def _pay(self) -> None:
        for _ in range(len(self._owed)):
            request_id, limit = self._owed.popleft()
            self.settle(request_id, (limit,), 0)

    def _went_away(self, error: StorageUnavailable) -> None:
        self._metrics.limits_alone.inc()
        if self._clock() >= self._away_until:
            _log.warning("limits.shared_store_away", reason=str(error))
        self._away_until = self._clock() + _REST_S

    def _fall_back(self, holders: Sequence[Holder], tokens: int, local: Lease) -> Lease:
        lease = local
        taken: list[Lease] = []
        try:
            for holder in holders:
                own = self._fallback.admit(holder.id, holder.name, holder.limits, kind=holder.kind)
                taken.append(own)
                own.reserve_tokens(tokens)
                lease = Together(lease, own)
        except LimitExceeded:
            for own in taken:
                own.settle(None)
            raise
        return lease


class _SharedLease:
    """Implements Lease."""

    __slots__ = ("_levels", "_limits", "_local", "_request_id", "_settled", "_shared")

    def __init__(
        self, shared: SharedLimits, request_id: str, limits: Sequence[_Limit], levels: Sequence[float], local: Lease
    ) -> None:
        self._shared = shared
        self._request_id = request_id
        self._limits = limits
        self._levels = levels
        self._local = local
        self._settled = False

    @property
    def requests(self) -> Window | None:
        return _window("requests", self._limits, self._levels, taken=True)

    @property
    def tokens(self) -> Window | None:
        return _window("tokens", self._limits, self._levels, taken=True)

    def reserve_tokens(self, tokens: int) -> None:
        raise RuntimeError("tokens were reserved when the lease was taken")

    def settle(self, tokens: int | None) -> None:
        self._local.settle(tokens)
        if not self._settled:
            self._settled = True
            self._shared.settle(self._request_id, self._limits, tokens or 0)


def _limits(holder: Holder, tokens: int) -> list[_Limit]:
    found = []
    for what, rate, amount in (("requests", holder.limits.requests, 1), ("tokens", holder.limits.tokens, tokens)):
        if rate is not None:
            key = f"gaiarouter:{{{holder.id}}}:{what}"
            found.append(_Limit(holder, what, key, amount, rate.amount, rate.amount / rate.per_s))
    if holder.limits.concurrent is not None:
        key = f"gaiarouter:{{{holder.id}}}:concurrent"
        found.append(_Limit(holder, "concurrent", key, 1, holder.limits.concurrent, 0.0))
    return found


def _keys(limits: Sequence[_Limit]) -> list[str]:
    return [limit.key for limit in limits]


def _slots(request_id: str, limits: Sequence[_Limit]) -> list[tuple[str, str]]:
    return [(limit.key, request_id) for limit in limits if not limit.is_window]


def _window(what: str, limits: Sequence[_Limit], levels: Sequence[float], *, taken: bool) -> Window | None:
    """Of several holders' the one with the least room. taken: the request's own amount counts."""
    windows = []
    for limit, level in zip(limits, levels, strict=True):
        if limit.what == what:
            used = level + limit.amount * taken
            reset_s = used / limit.rate if limit.rate else 0.0
            windows.append(Window(limit.limit, max(0, int(limit.limit - used + 1e-6)), reset_s))
    return min(windows, key=lambda window: window.remaining, default=None)


def _refusal(limit: _Limit, wait_s: float, limits: Sequence[_Limit], levels: Sequence[float]) -> LimitExceeded:
    whose = (limit.holder.kind, limit.holder.name)
    if not limit.is_window:
        error = too_many_running(whose, limit.limit)
    else:
        level = levels[limits.index(limit)]
        rate: Rate | None = limit.holder.limits.requests if limit.what == "requests" else limit.holder.limits.tokens
        assert rate is not None
        error = used_up(whose, limit.what, rate, wait_s if limit.rate else float("inf"), level / (limit.rate or 1.0))
    windows = {what: _window(what, limits, levels, taken=False) for what in ("requests", "tokens")}
    error.windows = {what: (each.limit, each.remaining, each.reset_s) for what, each in windows.items() if each}
    return error
