"""Keys, each read with its tenant and whether its owner is active: one look-up says all that a request needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import msgspec

from gaiarouter.config.settings import Limits
from gaiarouter.errors import Conflict, InvalidRequest, NotFound
from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import (
    ALL_KEYS,
    WHOLE,
    ApiKey,
    Author,
    Budget,
    KeyFilter,
    Page,
    Permission,
    PreviousSecret,
)
from gaiarouter.store.rows import Row, like, optional_json
from gaiarouter.store.tables import organizations, users
from gaiarouter.store.tables.audit import note, take_head

SYSTEM = "system"
"""The author of what the gateway makes by itself: the first key."""

_SELECT = """
SELECT k.id, k.name, k.secret_hash, k.created_us, k.organization, k.permissions, k.models, k.limits, k.inference,
       k.expires_us, k.revoked_us, k.last_used_us, k.unsupported, k.owner, k.description, k.status, k.budget_nano_usd,
       k.budget_period, k.updated_us, k.peppered, k.previous_hash, k.previous_peppered, k.previous_until_us,
       k.log_bodies, (u.id IS NULL OR (u.status = 'active' AND u.deleted_us IS NULL)),
       o.id, o.name, o.created_us, o.updated_us, o.description, o.status, o.limits, o.budget_nano_usd, o.budget_period,
       o.models, o.deleted_us
FROM api_keys k LEFT JOIN organizations o ON o.id = k.organization LEFT JOIN users u ON u.id = k.owner
"""

FIND = f"{_SELECT} WHERE k.id = $1"

_WHERE = """
WHERE (COALESCE(k.organization, '') = $1 OR $1 IS NULL) AND (k.owner = $2 OR $2 IS NULL)
  AND ($3 = '' OR LOWER(k.name) LIKE $3 ESCAPE '!' OR LOWER(k.id) LIKE $3 ESCAPE '!')
  AND (k.revoked_us IS NULL OR $4 = 'with revoked' OR $4 = 'revoked')
  AND ($4 IN ('', 'with revoked') OR $4 = CASE WHEN k.revoked_us IS NOT NULL THEN 'revoked'
                                          WHEN k.status <> 'active' THEN k.status
                                          WHEN k.expires_us <= $5 THEN 'expired'
                                          ELSE 'active' END)
"""

LIST = f"{_SELECT} {_WHERE} ORDER BY k.created_us, k.id LIMIT $6 OFFSET $7"

COUNT = f"SELECT count(*) FROM api_keys k {_WHERE}"  # noqa: S608  # two constants

ANY = "SELECT id FROM api_keys LIMIT 1"

ADD = """
INSERT INTO api_keys (id, name, secret_hash, created_us, organization, permissions, models, limits, inference,
                      expires_us, revoked_us, last_used_us, unsupported, owner, description, status, budget_nano_usd,
                      budget_period, updated_us, peppered, previous_hash, previous_peppered, previous_until_us,
                      log_bodies)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT (id) DO NOTHING RETURNING id
"""

SET = """
UPDATE api_keys SET name = $2, secret_hash = $3, organization = $4, permissions = $5, models = $6, limits = $7,
                    inference = $8, expires_us = $9, revoked_us = $10, unsupported = $11, owner = $12,
                    description = $13, status = $14, budget_nano_usd = $15, budget_period = $16, updated_us = $17,
                    peppered = $18, previous_hash = $19, previous_peppered = $20, previous_until_us = $21,
                    log_bodies = $22
WHERE id = $1
"""

TOUCH = """
UPDATE api_keys SET last_used_us = $2 WHERE id = $1 AND (last_used_us IS NULL OR last_used_us < $2)
"""


class SqlKeys:
    """Implements KeyTable."""

    _database: Database

    async def find_key(self, key_id: str) -> ApiKey | None:
        rows = await self._database.read(FIND, key_id)
        return _key_of(rows[0]) if rows else None

    async def list_keys(self, which: KeyFilter = ALL_KEYS, page: Page = WHOLE) -> Sequence[ApiKey]:
        rows = await self._database.read(LIST, *_narrowed(which), page.limit, page.offset)
        return [_key_of(row) for row in rows]

    async def count_keys(self, which: KeyFilter) -> int:
        return int((await self._database.read(COUNT, *_narrowed(which)))[0][0])

    async def has_keys(self) -> bool:
        return bool(await self._database.read(ANY))

    async def add_key(self, key: ApiKey, author: Author | None = None) -> bool:
        return await self._database.change(lambda: _add(key, author or Author(SYSTEM, key.created_us)))

    async def change_key(self, key_id: str, edit: Callable[[ApiKey], ApiKey], author: Author, action: str) -> ApiKey:
        def checked(before: ApiKey) -> ApiKey:
            after = edit(before)  # first, so that what is not the caller's to see is not found
            if before.revoked_us is not None and after != before:
                raise Conflict("The key is revoked.")
            return after

        return await self._database.change(lambda: _change(key_id, checked, author, action))

    async def revoke_key(self, key_id: str, *, now_us: int, author: Author | None = None) -> bool:
        def revoked(before: ApiKey) -> ApiKey:
            if before.revoked_us is not None:
                raise _NothingToDoError
            return replace(before, revoked_us=now_us)

        try:
            await self._database.change(lambda: _change(key_id, revoked, author or Author(SYSTEM, now_us), "revoke"))
        except (NotFound, _NothingToDoError):
            return False
        return True

    async def touch_keys(self, last_used_us: Mapping[str, int]) -> None:
        # in the order of ids, so that two processes never wait for each other's rows
        await self._database.write_many(TOUCH, sorted(last_used_us.items()))


class _NothingToDoError(Exception):
    """The key is what it was to become."""


def _add(key: ApiKey, author: Author) -> Unit[bool]:
    head = yield from take_head()
    yield from _require_places(key)
    if not (yield ADD, _row(key)):
        return False
    yield from note(head, author, "create", before=None, after=key)
    return True


def _change(key_id: str, edit: Callable[[ApiKey], ApiKey], author: Author, action: str) -> Unit[ApiKey]:
    head = yield from take_head()
    rows = yield FIND, (key_id,)
    if not rows:
        raise NotFound("There is no such key.")
    before = _key_of(rows[0])
    after = edit(before)
    if after == before:
        return before
    after = replace(after, updated_us=author.now_us)
    if after.owner != before.owner:
        yield from _require_places(after)
    yield SET, _changed_row(after)
    yield from note(head, author, action, before=before, after=after)
    return after


def _require_places(key: ApiKey) -> Unit[None]:
    if key.organization is not None and not (yield from organizations.exists(key.organization)):
        raise InvalidRequest("There is no such organization.", param="organization")
    if key.owner is not None and not (yield from users.may_own(key.owner, key.organization)):
        raise InvalidRequest("There is no such user in the key's organization.", param="owner")


def _narrowed(which: KeyFilter) -> tuple[object, ...]:
    status = which.status or ("with revoked" if which.with_revoked else "")
    return which.organization, which.owner, like(which.search), status, which.now_us


def _row(key: ApiKey) -> Row:
    budget, previous = key.budget, key.previous
    return (
        key.id,
        key.name,
        key.secret_hash.hex(),
        key.created_us,
        key.organization,
        optional_json(key.permissions),
        optional_json(key.models),
        optional_json(key.limits),
        key.inference,
        key.expires_us,
        key.revoked_us,
        key.last_used_us,
        key.unsupported,
        key.owner,
        key.description,
        key.status,
        budget and budget.amount_nano_usd,
        budget and budget.period,
        key.updated_us,
        key.peppered,
        previous and previous.secret_hash.hex(),
        previous and previous.peppered,
        previous and previous.until_us,
        key.log_bodies,
    )


def _changed_row(key: ApiKey) -> Row:
    """Without the times of creation and of use: the one never changes, the other is written meanwhile."""
    row = _row(key)
    return (*row[:3], *row[4:11], *row[12:])


def _key_of(row: Row) -> ApiKey:
    return ApiKey(
        id=row[0],
        name=row[1],
        secret_hash=bytes.fromhex(row[2]),
        created_us=row[3],
        organization=row[4],
        permissions=msgspec.json.decode(row[5], type=tuple[Permission, ...]),
        models=None if row[6] is None else msgspec.json.decode(row[6], type=tuple[str, ...]),
        limits=None if row[7] is None else msgspec.json.decode(row[7], type=Limits),
        inference=bool(row[8]),
        expires_us=row[9],
        revoked_us=row[10],
        last_used_us=row[11],
        unsupported=row[12],
        owner=row[13],
        description=row[14],
        status=row[15],
        budget=None if row[16] is None else Budget(row[16], row[17]),
        updated_us=row[18],
        peppered=bool(row[19]),
        previous=None if row[20] is None else PreviousSecret(bytes.fromhex(row[20]), bool(row[21]), row[22]),
        log_bodies=bool(row[23]),
        owner_is_active=bool(row[24]),
        tenant=None if row[25] is None else organizations.organization_of(row[25:]),
    )
