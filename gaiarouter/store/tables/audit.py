"""The audit log: each change with what it changed, in the change's own transaction, chained by hashes. Beside them sums
of those who were not let in.

A change takes the head of the log before all else. So changes follow one another however many replicas make them, a
unit of work sees what all before it have done, and the numbers of the log are in the order of the commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import WHOLE, ApiKey, AuditEntry, Author, Organization, Page, Refused, User
from gaiarouter.store.rows import Row

Audited = TypeVar("Audited", ApiKey, Organization, User)

_UNSAID: Final = frozenset({"secret_hash", "password_hash", "tenant", "owner_is_active", "updated_us", "last_used_us"})
"""Secrets, and what is not the record's own or says nothing that the entry does not say."""

TAKE_HEAD = "UPDATE audit_head SET seq = seq WHERE id = 1 RETURNING seq, hash"

SET_HEAD = "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1"

ADD = """
INSERT INTO audit_log (seq, time_us, actor, action, target, organization, request_id, value_before, value_after,
                       previous_hash, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

NEWEST = "SELECT seq FROM audit_head WHERE id = 1"

CHANGES = "SELECT seq, target FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2"

READ = """
SELECT seq, time_us, actor, action, target, organization, request_id, value_before, value_after, previous_hash, hash
FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2
"""

LIST = """
SELECT seq, time_us, actor, action, target, organization, request_id, value_before, value_after, previous_hash, hash
FROM audit_log WHERE (target = $1 OR $1 IS NULL) ORDER BY seq DESC LIMIT $2 OFFSET $3
"""

COUNT = "SELECT count(*) FROM audit_log WHERE (target = $1 OR $1 IS NULL)"


class SqlAudit:
    """Implements AuditTable."""

    _database: Database

    async def newest_change(self) -> int:
        return int((await self._database.read(NEWEST))[0][0])

    async def changes(self, *, after: int, at_most: int) -> Sequence[tuple[int, str]]:
        return [(row[0], row[1]) for row in await self._database.read(CHANGES, after, at_most)]

    async def list_audit(self, *, target: str | None = None, page: Page = WHOLE) -> Sequence[AuditEntry]:
        return [AuditEntry(*row) for row in await self._database.read(LIST, target, page.limit, page.offset)]

    async def count_audit(self, *, target: str | None = None) -> int:
        return int((await self._database.read(COUNT, target))[0][0])

    async def note_refused(self, refused: Refused, *, now_us: int) -> None:
        await self._database.work(lambda: _note_refused(refused, now_us))

    async def read_audit(self, *, after: int, at_most: int) -> Sequence[AuditEntry]:
        return [AuditEntry(*row) for row in await self._database.read(READ, after, at_most)]


def take_head() -> Unit[tuple[int, str]]:
    """The number of the entry to be written, and the hash before it. The first statement of every audited unit: until
    its end no other gets further than this."""
    rows = yield TAKE_HEAD, ()
    return rows[0][0] + 1, rows[0][1]


def note(head: tuple[int, str], author: Author, action: str, *, before: Audited | None, after: Audited) -> Unit[None]:
    """The last statements of every audited unit. action: `create`, `update`, `rotate`, `revoke`, `delete`."""
    old, new = ({} if before is None else visible(before)), visible(after)
    changed = [name for name in new if before is None or old[name] != new[name]]
    entry = AuditEntry(
        seq=head[0],
        time_us=author.now_us,
        actor=author.actor,
        action=f"{_kind(after)}.{action}",
        target=after.id,
        organization=after.id if isinstance(after, Organization) else after.organization,
        request_id=author.request_id,
        before=None if before is None else _json({name: old[name] for name in changed}),
        after=_json({name: new[name] for name in changed}),
        previous_hash=head[1],
        hash="",
    )
    yield from _write(entry)


def _note_refused(refused: Refused, now_us: int) -> Unit[None]:
    seq, previous_hash = yield from take_head()
    by = dict(refused.by)
    said = {
        "reason": refused.reason,
        "count": refused.count,
        "since_us": refused.since_us,
        "by": by,
        "others": refused.count - sum(by.values()),
    }
    yield from _write(
        AuditEntry(
            seq=seq,
            time_us=now_us,
            actor="system",
            action="auth.refused",
            target=refused.door,
            organization=None,
            request_id=None,
            before=None,
            after=_json(said),
            previous_hash=previous_hash,
            hash="",
        )
    )


def _write(entry: AuditEntry) -> Unit[None]:
    digest = hash_of(entry)
    yield ADD, _row(replace(entry, hash=digest))
    yield SET_HEAD, (entry.seq, digest)


def hash_of(entry: AuditEntry) -> str:
    """Over all that the entry says and the hash before it, hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(_row(entry)[:-1])).hexdigest()


def _row(entry: AuditEntry) -> Row:
    return (
        entry.seq,
        entry.time_us,
        entry.actor,
        entry.action,
        entry.target,
        entry.organization,
        entry.request_id,
        entry.before,
        entry.after,
        entry.previous_hash,
        entry.hash,
    )


def visible(record: ApiKey | Organization | User) -> Mapping[str, Any]:
    """The record's own members without secrets; of a secret only that it changed."""
    members: dict[str, Any] = msgspec.to_builtins(record)
    shown = {name: value for name, value in members.items() if name not in _UNSAID}
    if isinstance(record, ApiKey):
        shown["previous"] = record.previous and {"until_us": record.previous.until_us}
    return shown


def _kind(record: ApiKey | Organization | User) -> str:
    match record:
        case ApiKey():
            return "key"
        case Organization():
            return "organization"
        case User():
            return "user"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
