"""The health of every target and provider key, for the life of the process: circuit, rest, latency, requests in flight.

1. Only what is the provider's fault counts against a target (`UpstreamError.counts_against_target`).
2. A throttled or refused key rests alone. Where the provider has one key only, the target rests instead.
3. Every attempt that is begun is ended exactly once, cancelled ones too; a second ending does nothing.

Times are seconds on one monotonic clock. Nothing here waits. The tables are bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct

from gaiarouter.config.settings import Breaker, Provider, ProviderKey
from gaiarouter.errors import KeyRefused, QuotaSpent, Throttled, UpstreamError
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.routing.circuit import Circuit, State
from gaiarouter.routing.retry_budget import RetryBudget

LEAST_REST_S: Final = 1.0
MOST_REST_S: Final = 600.0
REFUSED_REST_S: Final = 60.0
SPENT_REST_S: Final = 300.0
"""Without credit: somebody has to pay first, or a day has to pass."""
LAST_RESORT_EVERY_S: Final = 1.0
_LATENCY_WEIGHT: Final = 0.3
_LATENCY_KNOWN_FOR_S: Final = 60.0
_TARGETS_KEPT: Final = 4096
ChangeKind = Literal["opened", "reopened", "probed", "closed", "refused", "throttled"]
_LEVELS: Final[dict[State, int]] = {"closed": 0, "half_open": 1, "open": 2}


class _Record:
    """What is known of one target."""

    __slots__ = ("circuit", "in_flight", "latency_at", "latency_s", "name", "provider", "rests_until", "spared_until")

    def __init__(self, provider: str, name: str) -> None:
        self.provider = provider
        self.name = name
        self.circuit = Circuit()
        self.in_flight = 0
        self.latency_s: float | None = None
        self.latency_at = 0.0
        self.rests_until = 0.0
        self.spared_until = 0.0
        """Until then not even a last resort."""

    def is_quiet(self, now: float) -> bool:
        """Nothing is lost if it is forgotten."""
        return self.in_flight == 0 and self.circuit.open_until is None and self.rests_until <= now


class Flight(Struct):
    """One attempt under way. probe: its number if it is the circuit's probe, else 0."""

    record: _Record
    provider: Provider
    key: ProviderKey | None
    settings: Breaker
    probe: int
    has_spoken: bool = False
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One target for /metrics and /v1/routes/health. level: 0 closed, 1 half open, 2 open. rests_s: still to come."""

    provider: str
    id: str
    state: State
    level: int
    in_flight: int
    latency_s: float | None
    rests_s: float


@dataclass(frozen=True, slots=True)
class KeyHealth:
    """A provider key that rests. index: see settings.ProviderKey."""

    provider: str
    index: int
    rests_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a target or of a provider's key. kind: `opened`, `probed` (half open), `reopened` (by a
    failed probe) and `closed` are the circuit's; `refused` and `throttled` put the key to rest, or where there is but
    one, the target. for_s: how long."""

    kind: ChangeKind
    provider: str
    target: str
    key: int | None = None
    for_s: float | None = None


class Health:
    """Shared by all requests of a process; a reload keeps it, and forgets the providers that changed. on_change: told
    of each change, at once; it must not wait."""

    def __init__(self, on_change: Callable[[Change], None] = lambda change: None) -> None:
        self._on_change = on_change
        self.retries = RetryBudget()
        self._targets: OrderedDict[str, _Record] = OrderedDict()
        self._key_rests: dict[tuple[str, ProviderKey], float] = {}

    # what selection and attempts ask

    def admits(self, target: ResolvedTarget, provider: Provider, now: float) -> bool:
        """Nothing speaks against trying it now: circuit, rest, and a key that does not rest."""
        record = self._targets.get(target.id)
        if record is not None:
            circuit = record.circuit
            if record.rests_until > now or (circuit.open_until is not None and not circuit.admits(now)):
                return False
        return not self._key_rests or self.keys_rest_until(provider) <= now

    def recovers_at(self, target: ResolvedTarget, provider: Provider) -> float:
        """When it will be admitted, if nothing else happens; in the past if it is."""
        until = self.keys_rest_until(provider)
        record = self._targets.get(target.id)
        return max(until, record.rests_until, record.circuit.recovers_at()) if record else until

    def is_last_resort(self, target: ResolvedTarget, now: float) -> bool:
        """Although it is not admitted, a request that has nothing else may try it: one at a time, and where it failed
        or refused our key, one a second."""
        record = self._targets.get(target.id)
        return record is None or (record.spared_until <= now and not record.circuit.is_probed(now))

    def key_rests_until(self, provider: Provider, key: ProviderKey) -> float:
        return self._key_rests.get((provider.name, key), 0.0)

    def keys_rest_until(self, provider: Provider) -> float:
        """When the first of its keys is free; in the past if one is, or it needs none."""
        if not self._key_rests or not provider.keys:
            return 0.0
        return min(self.key_rests_until(provider, key) for key in provider.keys)

    def in_flight(self, target: ResolvedTarget) -> int:
        record = self._targets.get(target.id)
        return record.in_flight if record else 0

    def latency_s(self, target: ResolvedTarget, now: float) -> float | None:
        """The usual time to the first content; None if there is no fresh one."""
        record = self._targets.get(target.id)
        if record is None or now - record.latency_at > _LATENCY_KNOWN_FOR_S:
            return None
        return record.latency_s

    # what becomes of an attempt

    def started(
        self, target: ResolvedTarget, provider: Provider, key: ProviderKey | None, now: float, settings: Breaker
    ) -> Flight:
        """now: when it begins, which is later than the call if it waits first."""
        name = target.id
        record = self._targets.get(name)
        if record is None:
            record = self._added(target, now)
        else:
            self._targets.move_to_end(name)
        record.in_flight += 1
        probe = 0 if record.circuit.open_until is None else record.circuit.begin(now)
        if probe:
            self._tell(record, "probed")
        return Flight(record, provider, key, settings, probe)

    def spoke(self, flight: Flight, now: float, first_content_s: float) -> None:
        """The first content is here: the target works, though the attempt goes on."""
        if flight.is_over or flight.has_spoken:
            return
        flight.has_spoken = True
        record = flight.record
        if record.circuit.open_until is None and not flight.probe:
            record.circuit.succeeded(0, now)
        else:
            self._worked(flight, now)
            flight.probe = 0
        self._note_latency(record, now, first_content_s)

    def succeeded(self, flight: Flight, now: float, first_content_s: float) -> None:
        if not flight.has_spoken:
            self.spoke(flight, now, first_content_s)
        self._end(flight)

    def failed(self, flight: Flight, error: UpstreamError, now: float) -> None:
        if flight.is_over:
            return
        match error:
            case UpstreamError(sent=False):
                pass  # it was not asked
            case Throttled(retryable=False):
                pass  # this request alone is too large for the limit: others are not to suffer
            case Throttled():
                wait = flight.settings.cooldown_s if error.retry_after_s is None else error.retry_after_s
                self._rest(flight, "throttled", min(max(wait, LEAST_REST_S), MOST_REST_S), now)
            case KeyRefused():
                flight.record.spared_until = now + LAST_RESORT_EVERY_S
                least = SPENT_REST_S if isinstance(error, QuotaSpent) else REFUSED_REST_S
                self._rest(flight, "refused", min(max(least, error.retry_after_s or 0.0), MOST_REST_S), now)
            case UpstreamError(counts_against_target=True):
                flight.record.spared_until = now + LAST_RESORT_EVERY_S
                self._did_not_work(flight, now)
            case _:
                # who can judge the caller's request is well
                self._worked(flight, now)
        self._end(flight)

    def cancelled(self, flight: Flight) -> None:
        """The caller is gone: nothing was learned, and the next request may probe."""
        self._end(flight)

    # for operators

    # a scrape reads these in a thread of its own: each table is copied in one go before it is looked through

    def snapshot(self, now: float) -> tuple[TargetHealth, ...]:
        return tuple(self._seen(now))

    def resting_keys(self, now: float) -> tuple[KeyHealth, ...]:
        return tuple(
            KeyHealth(provider=provider, index=key.index, rests_s=until - now)
            for (provider, key), until in list(self._key_rests.items())
            if until > now
        )

    def forget(self, provider: str) -> None:
        """The provider's settings have changed: what was learned of the old ones does not hold. Attempts under way
        end on the records they began with."""
        self._targets = OrderedDict((name, r) for name, r in self._targets.items() if r.provider != provider)
        self._key_rests = {key: until for key, until in self._key_rests.items() if key[0] != provider}
        self.retries.forget(provider)

    def _seen(self, now: float) -> Iterator[TargetHealth]:
        for name, record in list(self._targets.items()):
            state = record.circuit.state(now)
            yield TargetHealth(
                provider=record.provider,
                id=name,
                state=state,
                level=_LEVELS[state],
                in_flight=record.in_flight,
                latency_s=record.latency_s,
                rests_s=max(0.0, record.rests_until - now),
            )

    def _added(self, target: ResolvedTarget, now: float) -> _Record:
        if len(self._targets) >= _TARGETS_KEPT:
            self._drop_one(now)
        record = self._targets[target.id] = _Record(target.provider, target.id)
        return record

    def _drop_one(self, now: float) -> None:
        """The longest unused of those that are well: callers who make up names must not wash away what is known of
        a failing target."""
        oldest = next(iter(self._targets))
        name = next((name for name, record in self._targets.items() if record.is_quiet(now)), oldest)
        del self._targets[name]

    def _worked(self, flight: Flight, now: float) -> None:
        circuit = flight.record.circuit
        was_closed = circuit.open_until is None
        circuit.succeeded(flight.probe, now)
        if not was_closed and circuit.open_until is None:
            self._tell(flight.record, "closed")

    def _did_not_work(self, flight: Flight, now: float) -> None:
        circuit = flight.record.circuit
        before = circuit.open_until
        circuit.failed(flight.probe, now, flight.settings)
        if circuit.open_until != before:
            kind: ChangeKind = "opened" if before is None else "reopened"
            self._tell(flight.record, kind, for_s=circuit.cooldown_s)

    def _tell(self, record: _Record, kind: ChangeKind, *, key: int | None = None, for_s: float | None = None) -> None:
        self._on_change(Change(kind, record.provider, record.name, key, for_s))

    def _rest(self, flight: Flight, why: ChangeKind, rest_s: float, now: float) -> None:
        record, key, until = flight.record, flight.key, now + rest_s
        if key is None or len(flight.provider.keys) < 2:
            rested_until = record.rests_until
            record.rests_until = max(rested_until, until)
        else:
            self._key_rests = {each: ends for each, ends in self._key_rests.items() if ends > now}
            name = (flight.provider.name, key)
            rested_until = self._key_rests.get(name, 0.0)
            self._key_rests[name] = max(until, rested_until)
        if rested_until <= now:
            self._tell(record, why, key=None if key is None else key.index, for_s=rest_s)

    def _note_latency(self, record: _Record, now: float, first_content_s: float) -> None:
        before = record.latency_s
        if before is None or now - record.latency_at > _LATENCY_KNOWN_FOR_S:
            before = first_content_s
        record.latency_s = before + _LATENCY_WEIGHT * (first_content_s - before)
        record.latency_at = now

    def _end(self, flight: Flight) -> None:
        if not flight.is_over:
            flight.is_over = True
            flight.record.in_flight -= 1
            if flight.probe:
                flight.record.circuit.release(flight.probe)
