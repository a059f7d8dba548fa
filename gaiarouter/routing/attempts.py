"""What to try, and after a failure: the next target, the same again, or give up.

One budget of attempts and one deadline hold for the whole request, over all targets together.

1. A failure moves on to the next target of the chain at once. Only when none is left is one tried again, after a pause.
2. A refused key is no reason to leave a target whose provider has another one, nor is a refusal that taught the gateway
   how to ask.
3. A failure with a condition (`context_length`) leads only to groups that ask for it, and nothing else does.
4. A target that is not healthy is passed over, unless the request has nothing else.
5. After the first content, and after a failure that is the caller's fault, nothing is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

from msgspec import Struct, field

from gaiarouter.config.settings import FallbackCondition, Provider, ProviderKey
from gaiarouter.errors import GatewayError, KeyRefused, Throttled, TimedOut, Unavailable, UpstreamError
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.breaker import LEAST_REST_S, MOST_REST_S, Flight, Health
from gaiarouter.routing.selection import Circumstances, Price, Targets, attempt_order, no_price, pick_key

SHARE_OF_TIME: Final = 0.6
"""Of the time that is left, what an attempt may use while another target could still answer."""
FAIR_SHARE: Final = 0.5
"""A time-out says something of a target only if it had so much of the time that it would have had to itself."""
LONGEST_WAIT_S: Final = 2.0
"""A target that asks for more patience is not waited for: the caller is told."""

_ALL_OFF: Final = (
    "Every target of this route is switched off: whoever runs this gateway learns why from `gaiarouter explain`."
)
_ALL_RESTING: Final = "No target is healthy: each has failed lately, or its provider asked for a rest. Ask again later."


class Attempt(Struct, frozen=True):
    """One try at one target.

    number: 1 is the first. wait_s: to sleep before it. deadline: until then its first content must have come; a stream
    that has begun has until `Plan.deadline`. is_last: no other target could be tried after it. time_s: how long it
    may take. flight: its entry in the health of targets.
    """

    target: ResolvedTarget
    key: ProviderKey | None
    number: int
    wait_s: float
    deadline: float
    is_last: bool
    time_s: float
    flight: Flight


class _Tried(Struct):
    """A target of this request. patience_at: when it asked to be tried again."""

    error: UpstreamError | None = None
    count: int = 0
    patience_at: float = 0.0


class Plan(Struct):
    """The attempts of one request, one after the other: `next`, and how it ended. Every attempt is ended by exactly
    one of `succeeded`, `failed` and `cancelled`; a second ending does nothing.

    providers: by name, at least those of the match's targets. began: when the request came. affinity, price: see
    selection.py. What stands below them is the plan's own.
    """

    match: Match
    providers: Mapping[str, Provider]
    health: Health
    rng: Random
    began: float
    affinity: bytes | None = None
    price: Price = no_price
    number: int = 0
    """Attempts so far."""
    deadline: float = 0.0
    is_over: bool = False
    tried: dict[str, _Tried] = field(default_factory=dict)
    paid_in: set[str] = field(default_factory=set)
    orders: dict[int, Targets] = field(default_factory=dict)
    condition: FallbackCondition | None = None
    """Of the last failure that had one."""
    last_target: ResolvedTarget | None = None
    last_error: UpstreamError | None = None

    def __post_init__(self) -> None:
        self.deadline = self.began + self.match.route.timeouts.total_s

    def next(self, now: float) -> Attempt | None:
        """The attempt to make now; None: give up, and `verdict` says why."""
        if self.is_over or self.number >= self.match.route.retry.attempts or now >= self.deadline:
            return None
        if self.number == 0 and (alone := self.match.alone) is not None and self._admits(alone, now):
            return self._attempt(alone, wait_s=0.0, now=now)
        target = None
        if self.last_target is not None:
            target = self._same_mended() or self._same_with_another_key(now)
        if target := target or self._untried(now) or self._least_bad(now):
            return self._attempt(target, wait_s=0.0, now=now)
        again = self._again(now)
        return again and self._attempt(again[1], wait_s=again[0], now=now)

    def spoke(self, attempt: Attempt, now: float, first_content_s: float) -> None:
        """The first content has come: no other target is tried from now on."""
        self.is_over = True
        self.health.spoke(attempt.flight, now, first_content_s)

    def succeeded(self, attempt: Attempt, now: float, first_content_s: float) -> None:
        """The whole answer has come. first_content_s: how long its first content took."""
        self.is_over = True
        self.health.succeeded(attempt.flight, now, first_content_s)

    def failed(self, attempt: Attempt, error: UpstreamError, now: float) -> None:
        flight = attempt.flight
        if flight.is_over:
            return
        tried = self.tried.setdefault(attempt.target.id, _Tried())
        tried.count += 1
        tried.error = self.last_error = error
        tried.patience_at = now + (error.retry_after_s or 0.0)
        self.last_target = attempt.target
        if error.condition is not None:
            self.condition = error.condition
        elif not (error.falls_back or self._same_mended() or self._ran_out_of_its_share(error, attempt)):
            self.is_over = True
        if self._was_cut_short(error, attempt):
            self.health.cancelled(flight)
        else:
            self.health.failed(flight, error, now)

    def cancelled(self, attempt: Attempt) -> None:
        """The caller hung up, or nothing can be said of the attempt for another reason."""
        self.is_over = True
        self.health.cancelled(attempt.flight)

    def verdict(self, now: float) -> GatewayError:
        """What the caller is told when `next` has given up."""
        if self.last_error is None and now >= self.deadline:
            return TimedOut("No provider answered in time.", phase="total")
        if self.last_error is None:
            words = _ALL_RESTING if self._any_targets() else _ALL_OFF
            return Unavailable(words, code="no_healthy_upstream", retry_after_s=self._recovers_in(now))
        if self.last_error.status in (429, 503):
            self.last_error.retry_after_s = self._shortest_patience(now)
        return self.last_error

    # which target

    def _same_mended(self) -> ResolvedTarget | None:
        target, error = self.last_target, self.last_error
        if target is None or error is None or not error.mended:
            return None
        return target if self.tried[target.id].count < self.match.route.retry.per_target else None

    def _same_with_another_key(self, now: float) -> ResolvedTarget | None:
        target = self.last_target
        if target is None or not isinstance(self.last_error, KeyRefused):
            return None
        provider = self.providers[target.provider]
        has_another = len(provider.keys) > 1 and self.health.admits(target, provider, now)
        if not has_another or self.tried[target.id].count >= self.match.route.retry.per_target:
            return None
        return target if self.health.retries.take(target.provider) else None

    def _untried(self, now: float, but: ResolvedTarget | None = None) -> ResolvedTarget | None:
        """The first of the chain that is healthy and was not tried. but: take it for tried."""
        for target in self._reachable(now):
            if target.id not in self.tried and (but is None or target.id != but.id) and self._admits(target, now):
                return target
        return None

    def _least_bad(self, now: float) -> ResolvedTarget | None:
        """Nothing is healthy: the first to recover, where it can bear to be asked."""
        if self.number > 0:
            return None
        bearing = [target for target in self._reachable(now) if self.health.is_last_resort(target, now)]
        return min(bearing, key=self._recovers_at, default=None)

    def _again(self, now: float) -> tuple[float, ResolvedTarget] | None:
        """The wait for a target that was tried, and the target: the one that wants the shortest."""
        waits = [
            (wait, target)
            for target in self._reachable(now)
            if target.id in self.tried and (wait := self._wait_for(target, now)) is not None
        ]
        best = min(waits, key=lambda item: item[0], default=None)
        if best is None or now + best[0] >= self.deadline:
            return None
        return best if self.health.retries.take(best[1].provider) else None

    def _wait_for(self, target: ResolvedTarget, now: float) -> float | None:
        tried, retry = self.tried[target.id], self.match.route.retry
        if tried.count >= retry.per_target or tried.error is None or not tried.error.retryable:
            return None
        if isinstance(tried.error, Throttled) and len(self.providers[target.provider].keys) > 1:
            # the key was throttled, and what it asked for binds no other
            needed = self._recovers_at(target) - now
            return None if needed > LONGEST_WAIT_S else max(needed, 0.0)
        needed = max(tried.patience_at, self._recovers_at(target)) - now
        if needed > LONGEST_WAIT_S:
            return None
        # full jitter: those who failed together must not come back together
        backoff = self.rng.uniform(0.0, min(retry.max_backoff_s, retry.backoff_s * 2 ** (tried.count - 1)))
        return max(needed, backoff)

    def _reachable(self, now: float) -> Iterator[ResolvedTarget]:
        """The chain in order, as far as the failures so far lead."""
        for index, group in enumerate(self.match.groups):
            if self._is_reached(group):
                if index not in self.orders:
                    self.orders[index] = attempt_order(group, self._circumstances(now))
                yield from self.orders[index]

    def _circumstances(self, now: float) -> Circumstances:
        return Circumstances(self.health, self.rng, now, self.affinity, self.price)

    def _is_reached(self, group: ResolvedGroup) -> bool:
        if group.on is None or self.condition is None:
            return group.on is None and self.condition is None
        return self.condition in group.on

    # the attempt

    def _attempt(self, target: ResolvedTarget, *, wait_s: float, now: float) -> Attempt:
        provider, start = self.providers[target.provider], now + wait_s
        if target.provider not in self.paid_in:
            self.paid_in.add(target.provider)
            self.health.retries.pay_in(target.provider, self.match.route.retry.budget)
        self.number += 1
        has_next = (
            self.match.alone is None
            and self.number < self.match.route.retry.attempts
            and self._untried(now, but=target) is not None
        )
        keys = provider.keys
        key = keys[0] if len(keys) == 1 else pick_key(provider, self._circumstances(start))
        left = self.deadline - start
        mine = SHARE_OF_TIME * left if has_next else left
        return Attempt(
            target=target,
            key=key,
            number=self.number,
            wait_s=wait_s,
            deadline=start + mine if has_next else self.deadline,
            is_last=not has_next,
            time_s=mine,
            flight=self.health.started(target, provider, key, start, self.match.route.breaker),
        )

    def _ran_out_of_its_share(self, error: UpstreamError, attempt: Attempt) -> bool:
        """The attempt's time is over, not the request's."""
        return isinstance(error, TimedOut) and error.phase == "total" and attempt.deadline < self.deadline

    def _had_fair_time(self, attempt: Attempt) -> bool:
        """Enough that running out of it is the target's fault."""
        timeouts = self.match.route.timeouts
        return attempt.time_s >= FAIR_SHARE * min(timeouts.first_byte_s, SHARE_OF_TIME * timeouts.total_s)

    def _was_cut_short(self, error: UpstreamError, attempt: Attempt) -> bool:
        """The time was up before anything could be said of the target: the caller sent its request slowly, others had
        used the time up before, or the answer was under way."""
        if not isinstance(error, TimedOut) or error.phase not in ("first_byte", "total"):
            return False
        return attempt.flight.has_spoken or not self._had_fair_time(attempt)

    def _admits(self, target: ResolvedTarget, now: float) -> bool:
        return self.health.admits(target, self.providers[target.provider], now)

    def _recovers_at(self, target: ResolvedTarget) -> float:
        return self.health.recovers_at(target, self.providers[target.provider])

    # what the caller is told

    def _any_targets(self) -> bool:
        return any(group.targets for group in self.match.groups)

    def _recovers_in(self, now: float) -> float:
        """Seconds until the first target that this request could have used is healthy."""
        recoveries = [self._recovers_at(target) - now for target in self._reachable(now)]
        return _clamped(min(recoveries, default=self.match.route.breaker.cooldown_s))

    def _shortest_patience(self, now: float) -> float:
        """The smallest wait that a failed target asked for and that is still to come, else until one is healthy."""
        waits = [tried.patience_at - now for tried in self.tried.values() if tried.patience_at > now]
        return _clamped(min(waits)) if waits else self._recovers_in(now)


def _clamped(seconds: float) -> float:
    return min(max(seconds, LEAST_REST_S), MOST_REST_S)
