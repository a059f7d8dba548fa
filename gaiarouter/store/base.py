"""The store's protocol: the only door to SQL. Every method is one unit of work, one transaction.

Raises StorageUnavailable when the database cannot be reached or does not answer in time; a write that ran out of time
may have happened all the same, so every write may be repeated.
Times are microseconds since the epoch, UTC. Ids are text made by the application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gaiarouter.config.settings import Limits

Permission = Literal["read", "write", "admin"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's record. `secret_hash` is that of keys.hash_secret; the key itself is nowhere.

    models: globs it may use; None is all. limits: None is the configuration's `limits`. unsupported: `error` refuses
    what a target cannot take exactly, whatever the route says; None leaves it to that.
    """

    id: str
    name: str
    secret_hash: bytes
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


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one request was and used; never what it said. One row, at most 500 bytes.

    cost_nano_usd: None is unpriced, which is not 0. status: HTTP status, 499 for a caller that hung up.
    outcome: ok, error, interrupted, cancelled. Durations are microseconds.
    request_id: what the caller was told (or told us), so not unique as `id` is.
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


class StorageUnavailable(Exception):
    """The database is away or too slow. Callers of the pipeline see 503 storage_unavailable."""


class MigrationError(Exception):
    """The tables and this program do not belong together; the message says why and what to do."""


class Store(Protocol):
    async def open(self, *, migrate: bool = True) -> Sequence[str]:
        """Connects and brings the tables up to date; returns the names of the migrations it applied.

        With migrate=False tables that are not up to date raise MigrationError, as do those of a newer program.
        """
        ...

    async def close(self) -> None: ...

    async def find_key(self, key_id: str) -> ApiKey | None:
        """Answers or raises within a second: the one look-up in the path of a request."""
        ...

    async def list_keys(self) -> Sequence[ApiKey]:
        """All, also the revoked, the oldest first."""
        ...

    async def has_keys(self) -> bool: ...

    async def add_key(self, key: ApiKey) -> bool:
        """False, and nothing changed, if there is a key of that id."""
        ...

    async def revoke_key(self, key_id: str, *, now_us: int) -> bool:
        """False if there is no such key, or it was revoked before."""
        ...

    async def revoked_keys(self, *, since_us: int) -> Sequence[str]:
        """Ids of the keys revoked at `since_us` or later."""
        ...

    async def touch_keys(self, last_used_us: Mapping[str, int]) -> None:
        """Notes when keys were last used; an earlier time than the one known changes nothing."""
        ...

    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        """All or none. Idempotent by record id."""
        ...

    async def find_usage(self, record_id: str) -> UsageRecord | None: ...

    async def count_usage(self) -> int: ...
