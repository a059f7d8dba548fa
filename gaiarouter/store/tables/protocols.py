"""What the store promises for each table; `store.base.Store` is all of them together.

Changes are audited in the same transaction, and raise what the gateway answers: NotFound, Conflict, InvalidRequest.
Then nothing has changed. An `edit` is called inside the transaction with the record as it is and gives the record as it
shall be; what it raises ends the change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gaiarouter.canonical.usage import Usage
from gaiarouter.store.records import (
    ApiKey,
    AuditEntry,
    Author,
    BudgetState,
    Filter,
    KeyFilter,
    LostAttempt,
    Organization,
    Page,
    Refused,
    StatsGroup,
    Sums,
    UsageFilter,
    UsageRecord,
    User,
    Wanted,
    Window,
)


class KeyTable(Protocol):
    async def find_key(self, key_id: str) -> ApiKey | None:
        """Answers or raises within a second: the one look-up in the path of a request."""
        ...

    async def list_keys(self, which: KeyFilter = ..., page: Page = ...) -> Sequence[ApiKey]:
        """The oldest first; without a filter also the revoked."""
        ...

    async def count_keys(self, which: KeyFilter) -> int: ...

    async def has_keys(self) -> bool: ...

    async def add_key(self, key: ApiKey, author: Author | None = None) -> bool:
        """False, and nothing changed, if there is a key of that id. Raises InvalidRequest for an organization or owner
        that does not exist. Without an author the gateway itself made it."""
        ...

    async def change_key(self, key_id: str, edit: Callable[[ApiKey], ApiKey], author: Author, action: str) -> ApiKey:
        """Raises NotFound; Conflict for a change to a key that is revoked. action: `update`, `rotate`, `revoke`."""
        ...

    async def revoke_key(self, key_id: str, *, now_us: int, author: Author | None = None) -> bool:
        """False if there is no such key, or it was revoked before."""
        ...

    async def touch_keys(self, last_used_us: Mapping[str, int]) -> None:
        """Notes when keys were last used; an earlier time than the one known changes nothing. Not audited."""
        ...


class OrganizationTable(Protocol):
    async def find_organization(self, organization_id: str) -> Organization | None:
        """Also a deleted one."""
        ...

    async def list_organizations(self, which: Filter = ..., page: Page = ...) -> Sequence[Organization]:
        """The oldest first, without the deleted unless the filter asks for them."""
        ...

    async def count_organizations(self, which: Filter) -> int: ...

    async def add_organization(self, organization: Organization, author: Author) -> None:
        """Raises Conflict for a name that is taken."""
        ...

    async def change_organization(
        self, organization_id: str, edit: Callable[[Organization], Organization], author: Author
    ) -> Organization:
        """Raises NotFound, and Conflict for one that is deleted or a name that is taken."""
        ...

    async def delete_organization(self, organization_id: str, author: Author) -> Organization:
        """Raises NotFound. A second time changes nothing."""
        ...


class UserTable(Protocol):
    async def find_user(self, user_id: str) -> User | None: ...

    async def list_users(self, which: Filter = ..., page: Page = ...) -> Sequence[User]: ...

    async def count_users(self, which: Filter) -> int: ...

    async def add_user(self, user: User, author: Author) -> None:
        """Raises Conflict for an address that is taken, InvalidRequest for an organization that does not exist."""
        ...

    async def change_user(self, user_id: str, edit: Callable[[User], User], author: Author) -> User: ...

    async def delete_user(self, user_id: str, author: Author) -> User: ...


class AuditTable(Protocol):
    async def newest_change(self) -> int:
        """The number of the newest entry; 0 of an empty log."""
        ...

    async def changes(self, *, after: int, at_most: int) -> Sequence[tuple[int, str]]:
        """Number and target of the entries after that one, in the order in which they were committed."""
        ...

    async def list_audit(self, *, target: str | None = None, page: Page = ...) -> Sequence[AuditEntry]:
        """The newest first."""
        ...

    async def count_audit(self, *, target: str | None = None) -> int: ...

    async def note_refused(self, refused: Refused, *, now_us: int) -> None:
        """An entry that tells of no change: whom it does not concern is not woken by it."""
        ...

    async def read_audit(self, *, after: int, at_most: int) -> Sequence[AuditEntry]:
        """The oldest first."""
        ...


class UsageTable(Protocol):
    async def add_usage(self, records: Sequence[UsageRecord]) -> None:
        """All or none, with what is added up by the hour and with what the requests had reserved. Idempotent by record
        id."""
        ...

    async def find_usage(self, record_id: str) -> UsageRecord | None: ...

    async def make_room(self, *, now_us: int) -> None:
        """For the records of this day and the next ones. To be called every few hours at least."""
        ...

    async def forget_usage(self, *, before_us: int, at_most: int) -> int:
        """Removes the oldest records from before then, not what is added up of them; how many. Where days have tables
        of their own, only whole days, and all at once: what is counted then is what lay outside of those tables."""
        ...

    async def count_usage(self) -> int: ...

    async def usage_by_model(self, *, since_us: int) -> Sequence[tuple[str, int, Usage]]:
        """Models as callers asked for them, how often since then, and the tokens of all those requests in all."""
        ...


class BudgetTable(Protocol):
    async def reserve(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[BudgetState]]:
        """In this order, in one transaction; for each what it reserved, or alone the one that did not fit: then nothing
        of that request's is. They are settled when the record of that id and time is added."""
        ...

    async def give_back(self, *, before_us: int) -> int:
        """What was reserved for requests from before then whose records have not come; how many reservations. Comes one
        all the same, what it cost still counts."""
        ...

    async def budget_in_use(self, scope: str, starts_us: int) -> tuple[int, int]:
        """Spent and reserved, in nano-dollars."""
        ...


class StatisticsTable(Protocol):
    async def usage_sums(self, window: Window, by: StatsGroup) -> Sequence[tuple[str | int, Sums]]:
        """By group, in its order; hours and days by when they begin. `window` counts whole hours: those that begin in
        it."""
        ...

    async def list_lost(self, window: Window) -> Sequence[LostAttempt]:
        """Of all records in it; only `provider` narrows."""
        ...

    async def list_usage(self, which: UsageFilter, page: Page) -> Sequence[UsageRecord]:
        """The newest first."""
        ...

    async def count_usage_of(self, which: UsageFilter, *, at_most: int) -> int: ...


class SecretTable(Protocol):
    async def secret(self, name: str, otherwise: bytes, *, now_us: int) -> bytes:
        """What the store has under this name. Where it has nothing yet, `otherwise` is it from now on."""
        ...
