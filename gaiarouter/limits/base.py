"""What a limiter promises to the pipeline. One lease is one running request; it must be settled exactly once."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from gaiarouter.config.settings import Limits
from gaiarouter.store.records import Owed


class Window(Struct, frozen=True, gc=False):
    """One limit's state, for the `x-ratelimit-*` headers. reset_s: until it is whole again."""

    limit: int
    remaining: int
    reset_s: float


class Lease(Protocol):
    @property
    def requests(self) -> Window | None:
        """As it is now; None where there is no such limit."""
        ...

    @property
    def tokens(self) -> Window | None: ...

    def reserve_tokens(self, tokens: int) -> None:
        """Takes an estimate from the token window; raises LimitExceeded, and then holds nothing of it.

        The lease goes on in either case and must be settled. Without `retry_after_s` in the error no waiting helps:
        the request is larger than the whole window.
        """
        ...

    def settle(self, tokens: int | None) -> None:
        """Ends the lease: frees the concurrency slot and replaces the reserved tokens by the real ones
        (None: give all back). A second call does nothing."""
        ...


class Grant(Protocol):
    """What a request spends of budgets that could not be asked."""

    @property
    def owed(self) -> tuple[Owed, ...]:
        """For its record."""
        ...

    def settle(self, cost: int) -> None:
        """Once. Nano-dollars."""
        ...


class Limiter(Protocol):
    def admit(self, holder: str, name: str, limits: Limits, *, kind: str = "key") -> Lease:
        """holder: the id of whose limits they are. kind: what that is, for messages.

        Takes one request and one concurrency slot; raises LimitExceeded, which names the limit and whose it is,
        and then has taken nothing."""
        ...
