"""The store's protocol: the only door to SQL. Every method is one unit of work, one transaction.

Raises StorageUnavailable when the database cannot be reached or does not answer in time.
Times are microseconds since the epoch, UTC. Ids are text made by the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gaiarouter.config.settings import Limits

Permission = Literal["read", "write", "admin"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's record. `secret_hash` is SHA-256 of the secret part; the key itself is nowhere.

    models: globs it may use; None is all. limits: None is the configuration's `limits`.
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


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one request was and used; never what it said. One row, at most 500 bytes.

    cost_nano_usd: None is unpriced, which is not 0. status: HTTP status, 499 for a caller that hung up.
    outcome: ok, error, interrupted, cancelled. Durations are microseconds.
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


class StorageUnavailable(Exception):
    """The database is away or too slow. Callers of the pipeline see 503 storage_unavailable."""


class Store(Protocol):
    async def open(self) -> None:
        """Connects and brings the tables up to date; raises StorageUnavailable, or MigrationError."""
        ...

    async def close(self) -> None: ...

    async def find_key(self, key_id: str) -> ApiKey | None: ...

    async def list_keys(self) -> Sequence[ApiKey]: ...

    async def add_key(self, key: ApiKey) -> None: ...

    async def revoke_key(self, key_id: str, *, now_us: int) -> bool:
        """False if there is no such key, or it was revoked before."""
        ...

    async def touch_keys(self, last_used_us: dict[str, int]) -> None: ...

    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        """Idempotent by record id."""
        ...

    async def find_usage(self, record_id: str) -> UsageRecord | None: ...

    async def count_usage(self) -> int: ...
