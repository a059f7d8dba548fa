"""Limits counted in this process: a Meter each for requests and tokens, a counter for concurrency. O(1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.errors import LimitExceeded
from gaiarouter.limits.base import Window
from gaiarouter.limits.meter import Meter, Reservation

Whose = tuple[str, str]
"""Key or organization, and its name; put into words only where a message needs them."""

_BUSY_RETRY_S = 1.0
_SPANS = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


class MemoryLimiter:
    """Implements Limiter. clock: monotonic seconds. share: number of processes that share the limits evenly."""

    def __init__(self, clock: Callable[[], float], *, share: int = 1) -> None:
        self._clock = clock
        self._share = share
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def __len__(self) -> int:
        """Callers in memory: those with something running, or with a window that is not whole, and a few more."""
        return len(self._callers)

    def admit(self, holder: str, name: str, limits: Limits, *, kind: str = "key") -> MemoryLease:
        whose = (kind, name)
        now = self._clock()
        caller = self._callers.get(holder)
        if caller is None:
            caller = self._add_caller(holder, now)
        concurrent = limits.concurrent
        if concurrent is not None and caller.running >= (concurrent // self._share or min(concurrent, 1)):
            raise caller.refusal(too_many_running(whose, concurrent), limits, now)
        meter = caller.requests
        if meter.limit is not limits.requests:
            meter.set_limit(limits.requests, now)
        wait_s = meter.take(1, now)
        if wait_s:
            raise caller.refusal(_window_used_up(whose, "requests", meter, wait_s), limits, now)
        caller.running += 1
        return MemoryLease(caller, whose, limits, self._clock)

    def _add_caller(self, key_id: str, now: float) -> _Caller:
        """Each new caller pays for a look at two old ones, so that memory follows the callers that are active."""
        for _ in range(min(2, len(self._callers))):
            old_id, old = self._callers.popitem(last=False)
            if not old.is_idle(now):
                self._callers[old_id] = old
        caller = self._callers[key_id] = _Caller(self._share, now)
        return caller


class MemoryLease(Struct):
    """Implements Lease."""

    caller: _Caller
    whose: Whose
    limits: Limits
    clock: Callable[[], float]
    reservation: Reservation | None = None
    settled: bool = False

    @property
    def requests(self) -> Window | None:
        return self.caller.requests.window(self.clock())

    @property
    def tokens(self) -> Window | None:
        now = self.clock()
        return self._tokens(now).window(now)

    def reserve_tokens(self, tokens: int) -> None:
        """Once a lease: the estimate for the whole request."""
        if self.settled or self.reservation is not None:
            raise RuntimeError("tokens are reserved once, and before the lease is settled")
        now = self.clock()
        meter = self._tokens(now)
        limit = meter.limit
        if limit is not None and tokens > limit.amount:
            raise _too_large(self.whose, tokens, limit)
        wait_s = meter.take(tokens, now)
        if wait_s:
            raise _window_used_up(self.whose, "tokens", meter, wait_s)
        self.reservation = Reservation(meter, tokens, meter.level - tokens, meter.given_back, now)

    def settle(self, tokens: int | None) -> None:
        if self.settled:
            return
        self.settled = True
        self.caller.running -= 1
        now = self.clock()
        meter = self._tokens(now)
        meter.drain(now)
        if self.reservation is not None:
            self.reservation.settle(tokens or 0, now)
        elif tokens:
            meter.owe(tokens)

    def _tokens(self, now: float) -> Meter:
        meter = self.caller.tokens
        if meter.limit is not self.limits.tokens:
            meter.set_limit(self.limits.tokens, now)
        return meter


class _Caller:
    """What one key has in use. Lives as long as any of it is not nothing."""

    __slots__ = ("requests", "running", "tokens")

    def __init__(self, share: int, now: float) -> None:
        self.requests = Meter(share, now)
        self.tokens = Meter(share, now)
        self.running = 0

    def refusal(self, error: LimitExceeded, limits: Limits, now: float) -> LimitExceeded:
        """The error, with the state of both windows."""
        windows = {}
        for name, meter, limit in (
            ("requests", self.requests, limits.requests),
            ("tokens", self.tokens, limits.tokens),
        ):
            meter.set_limit(limit, now)
            if (window := meter.window(now)) is not None:
                windows[name] = (window.limit, window.remaining, window.reset_s)
        error.windows = windows
        return error

    def is_idle(self, now: float) -> bool:
        self.requests.drain(now)
        self.tokens.drain(now)
        return not (self.running or self.requests.level or self.tokens.level)


def used_up(whose: Whose, what: str, rate: Rate, wait_s: float, reset_s: float) -> LimitExceeded:
    limit = _limit_text(whose, what, rate)
    if wait_s == float("inf"):
        return LimitExceeded(f"{limit} None are allowed.", limit=what)
    return LimitExceeded(
        f"{limit} Try again in {_seconds(wait_s)}; the limit resets in {_seconds(reset_s)}.",
        retry_after_s=wait_s,
        limit=what,
    )


def _window_used_up(whose: Whose, what: str, meter: Meter, wait_s: float) -> LimitExceeded:
    assert meter.limit is not None, "only a limit can be used up"
    return used_up(whose, what, meter.limit, wait_s, meter.reset_s())


def _too_large(whose: Whose, tokens: int, limit: Rate) -> LimitExceeded:
    return LimitExceeded(
        f"{_limit_text(whose, 'tokens', limit)} This request alone may need {tokens}: "
        "shorten the prompt or lower the maximum of output tokens; waiting does not help.",
        limit="tokens",
    )


def too_many_running(whose: Whose, concurrent: int) -> LimitExceeded:
    return LimitExceeded(
        f"Limit reached for {_words(whose)}: {concurrent} concurrent requests. "
        "The limit resets when a running request ends.",
        retry_after_s=_BUSY_RETRY_S,
        limit="concurrent",
    )


def _limit_text(whose: Whose, what: str, limit: Rate) -> str:
    span = _SPANS.get(limit.per_s, f"{limit.per_s:g} s")
    return f"Limit reached for {_words(whose)}: {limit.amount} {what} per {span}."


def _words(whose: Whose) -> str:
    return f"{whose[0]} {whose[1][:64]!r}"


def _seconds(seconds: float) -> str:
    return f"{max(seconds, 0.001):.3g} s" if seconds < 100 else f"{seconds:.0f} s"
