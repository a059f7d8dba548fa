"""What the control plane keeps, as frozen values. Times are microseconds since the epoch; money is nano-dollars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from operator import add
from typing import Final, Literal

from msgspec import Struct

from gaiarouter.config.settings import Limits

Permission = Literal["read", "write", "admin"]
"""`write` holds `read`, `admin` holds both: see `may`."""
Period = Literal["day", "week", "month", "total"]

_HELD: Final[dict[Permission, frozenset[Permission]]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "admin": frozenset({"read", "write", "admin"}),
}


def may(permissions: tuple[Permission, ...], wanted: Permission) -> bool:
    return any(wanted in _HELD[held] for held in permissions)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in each period; `total` is once and for all."""

    amount_nano_usd: int
    period: Period


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant. limits, budget and models hold for all its keys together, beside each key's own.

    limits: None is none. models: globs its keys may use; None is all. A suspended one's keys stop, as a deleted one's.
    """

    id: str
    name: str
    created_us: int
    updated_us: int
    description: str | None = None
    status: Literal["active", "suspended"] = "active"
    limits: Limits | None = None
    budget: Budget | None = None
    models: tuple[str, ...] | None = None
    deleted_us: int | None = None

    @property
    def is_active(self) -> bool:
        return self.status == "active" and self.deleted_us is None


@dataclass(frozen=True, slots=True)
class User:
    """Who may own keys. email: in lower case. password_hash: argon2id, or none."""

    id: str
    organization: str
    email: str
    name: str | None
    role: Permission
    created_us: int
    updated_us: int
    status: Literal["active", "suspended"] = "active"
    password_hash: str | None = field(default=None, repr=False)
    last_login_us: int | None = None
    deleted_us: int | None = None

    @property
    def is_active(self) -> bool:
        return self.status == "active" and self.deleted_us is None


@dataclass(frozen=True, slots=True)
class PreviousSecret:
    """The hash of the secret before the last rotation, which goes on working until then."""

    secret_hash: bytes = field(repr=False)
    peppered: bool
    until_us: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's record. `secret_hash` is that of keys.hash_secret; the key itself is nowhere.

    models: globs it may use; None is all. limits: None is the configuration's `limits`. unsupported: `error` refuses
    what a target cannot take exactly, whatever the route says; None leaves it to that. log_bodies: what it says and
    hears is kept where the configuration has a place for that. peppered: how the secret was
    hashed. tenant, owner_is_active: read along with the key, kept elsewhere; tenant is None where `organization` is,
    or names one that was never made.
    """

    id: str
    name: str
    secret_hash: bytes = field(repr=False)
    created_us: int
    organization: str | None = None
    permissions: tuple[Permission, ...] = ()
    models: tuple[str, ...] | None = None
    limits: Limits | None = None
    inference: bool = True
    expires_us: int | None = None
    revoked_us: int | None = None
    last_used_us: int | None = None
    unsupported: Literal["error"] | None = None
    log_bodies: bool = False
    owner: str | None = None
    description: str | None = None
    status: Literal["active", "disabled"] = "active"
    budget: Budget | None = None
    updated_us: int = 0
    peppered: bool = False
    previous: PreviousSecret | None = None
    tenant: Organization | None = None
    owner_is_active: bool = True

    @property
    def grants(self) -> tuple[tuple[str, ...], ...]:
        """Lists of globs, each of which must take a model's name."""
        own = () if self.models is None else (self.models,)
        return own if self.tenant is None or self.tenant.models is None else (*own, self.tenant.models)

    def is_valid(self, now_us: int) -> bool:
        """Whether a right secret lets its caller in."""
        return now_us < self.valid_until_us

    @property
    def valid_until_us(self) -> float:
        """0 for a record that lets nobody in."""
        is_on = (
            self.revoked_us is None
            and self.status == "active"
            and (self.tenant is None or self.tenant.is_active)
            and self.owner_is_active
        )
        if not is_on:
            return 0
        return inf if self.expires_us is None else self.expires_us


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """A try whose answer did not become the request's and that the provider may bill all the same.

    outcome: one of telemetry.OUTCOMES. estimated: the provider has told nothing, and what was sent is counted here.
    in_uncached: what tools brought included. out: of both classes.
    """

    provider: str
    model: str
    outcome: str
    in_uncached: int
    in_cache_read: int
    in_cache_write: int
    out: int
    estimated: bool
    cost_nano_usd: int | None


@dataclass(frozen=True, slots=True)
class Owed:
    """A budget's period in which a request spends that reserved nothing there, since the store was away."""

    scope: str
    starts_us: int


class UsageRecord(Struct, frozen=True, gc=False):
    """What one request was and used; never what it said. One row, at most 500 bytes.

    cost_nano_usd: None is unpriced, which is not 0. status: HTTP status, 499 for a caller that hung up.
    outcome: ok, error, interrupted, cancelled. Durations are microseconds.
    request_id: what the caller was told (or told us), so not unique as `id` is. lost: in none of the other numbers.
    owed: no column; budgets are told of it.
    """

    id: str
    time_us: int
    key: str | None
    organization: str | None
    route: str | None
    model_asked: str | None
    model_served: str | None
    provider: str | None
    attempts: int
    status: int
    outcome: str
    error: str | None
    streamed: bool
    in_uncached: int
    in_cache_read: int
    in_cache_write: int
    in_tool: int
    out_visible: int
    out_reasoning: int
    estimated: bool
    cost_nano_usd: int | None
    duration_us: int
    first_content_us: int | None
    request_id: str
    lost: tuple[LostAttempt, ...] = ()
    owed: tuple[Owed, ...] = ()

    @property
    def lost_nano_usd(self) -> int | None:
        """What those cost whose price is known; None of none."""
        return sum(attempt.cost_nano_usd or 0 for attempt in self.lost) if self.lost else None


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and in which request: an id of a key, or `cli`, `system`, `admin key`."""

    actor: str
    now_us: int
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. before and after: JSON of the members that changed, without secrets; None before a creation. Or a sum
    of those who were not let in, which is `after`.

    hash: over this entry and the hash of the one before it.
    """

    seq: int
    time_us: int
    actor: str
    action: str
    target: str
    organization: str | None
    request_id: str | None
    before: str | None
    after: str | None
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Those who were not let in at one door for one reason. by: how often, of some of them: addresses or keys' ids."""

    door: str
    reason: str
    count: int
    since_us: int
    by: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Reservation:
    """scope: a key's or an organization's id. amount: of `budget`, all in nano-dollars."""

    scope: str
    starts_us: int
    amount: int
    budget: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one request wants reserved, all of it or nothing, until the record of that id and time comes."""

    record_id: str
    time_us: int
    reservations: tuple[Reservation, ...]


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Of one scope's period. refused: the reservation did not fit; nothing of the request's is then reserved."""

    reservation: Reservation
    spent: int
    reserved: int
    refused: bool

    @property
    def left(self) -> int:
        return max(0, self.reservation.budget - self.spent - self.reserved)


StatsGroup = Literal["hour", "day", "model", "provider", "key", "organization", "route"]


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_us` to before `end_us`; None is every organization, key or provider, the empty string none."""

    start_us: int
    end_us: int
    organization: str | None = None
    key: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Each member narrows; None does not."""

    window: Window
    model: str | None = None
    provider: str | None = None
    outcome: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Of many requests. durations, first_contents: how many by bucket, see tables/histogram.py."""

    requests: int
    errors: int
    unpriced: int
    tokens: Mapping[str, int]
    cost_nano_usd: int
    durations: tuple[int, ...]
    first_contents: tuple[int, ...]

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            unpriced=self.unpriced + other.unpriced,
            tokens={name: count + other.tokens[name] for name, count in self.tokens.items()},
            cost_nano_usd=self.cost_nano_usd + other.cost_nano_usd,
            durations=tuple(map(add, self.durations, other.durations)),
            first_contents=tuple(map(add, self.first_contents, other.first_contents)),
        )


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Each member narrows the list; None does not. organization: the empty string is keys without one.

    status: as a caller sees it at `now_us`. search: in the name or the id, whatever the case.
    """

    organization: str | None = None
    owner: str | None = None
    status: Literal["active", "disabled", "expired", "revoked"] | None = None
    with_revoked: bool = True
    search: str | None = None
    now_us: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """As KeyFilter, for organizations and users. organization, role: of users."""

    status: Literal["active", "suspended", "deleted"] | None = None
    search: str | None = None
    organization: str | None = None
    role: Permission | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list, the oldest first."""

    offset: int = 0
    limit: int = 2**31 - 1


ALL_KEYS: Final = KeyFilter()
ALL: Final = Filter()
WHOLE: Final = Page()
