from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from gaiarouter.config.settings import Limits
from gaiarouter.errors import Conflict, NotFound
from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import ALL, WHOLE, Author, Budget, Filter, Organization, Page
from gaiarouter.store.rows import Row, like, optional_json
from gaiarouter.store.tables.audit import note, take_head

FIND = """
SELECT id, name, created_us, updated_us, description, status, limits, budget_nano_usd, budget_period, models, deleted_us
FROM organizations WHERE id = $1
"""

_WHERE = """
WHERE (deleted_us IS NULL) = ($1 <> 'deleted') AND (status = $1 OR $1 IN ('', 'deleted'))
  AND ($2 = '' OR LOWER(name) LIKE $2 ESCAPE '!' OR LOWER(id) LIKE $2 ESCAPE '!')
"""

LIST = f"""
SELECT id, name, created_us, updated_us, description, status, limits, budget_nano_usd, budget_period, models, deleted_us
FROM organizations {_WHERE} ORDER BY created_us, id LIMIT $3 OFFSET $4
"""  # noqa: S608  # two constants

COUNT = f"SELECT count(*) FROM organizations {_WHERE}"  # noqa: S608  # two constants

NAMED = "SELECT id FROM organizations WHERE name = $1 AND deleted_us IS NULL AND id <> $2"

ADD = """
INSERT INTO organizations (id, name, created_us, updated_us, description, status, limits, budget_nano_usd,
                           budget_period, models, deleted_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

SET = """
UPDATE organizations SET name = $2, created_us = $3, updated_us = $4, description = $5, status = $6, limits = $7,
                         budget_nano_usd = $8, budget_period = $9, models = $10, deleted_us = $11
WHERE id = $1
"""


class SqlOrganizations:
    """Implements OrganizationTable."""

    _database: Database

    async def find_organization(self, organization_id: str) -> Organization | None:
        rows = await self._database.read(FIND, organization_id)
        return organization_of(rows[0]) if rows else None

    async def list_organizations(self, which: Filter = ALL, page: Page = WHOLE) -> Sequence[Organization]:
        rows = await self._database.read(LIST, *_narrowed(which), page.limit, page.offset)
        return [organization_of(row) for row in rows]

    async def count_organizations(self, which: Filter) -> int:
        return int((await self._database.read(COUNT, *_narrowed(which)))[0][0])

    async def add_organization(self, organization: Organization, author: Author) -> None:
        await self._database.change(lambda: _add(organization, author))

    async def change_organization(
        self, organization_id: str, edit: Callable[[Organization], Organization], author: Author
    ) -> Organization:
        def checked(before: Organization) -> Organization:
            if before.deleted_us is not None:
                raise Conflict("The organization is deleted.")
            return edit(before)

        return await self._database.change(lambda: _change(organization_id, checked, author, "update"))

    async def delete_organization(self, organization_id: str, author: Author) -> Organization:
        def deleted(before: Organization) -> Organization:
            return before if before.deleted_us is not None else replace(before, deleted_us=author.now_us)

        return await self._database.change(lambda: _change(organization_id, deleted, author, "delete"))


def exists(organization_id: str) -> Unit[bool]:
    """Whether keys and users may be put into it."""
    rows = yield FIND, (organization_id,)
    return bool(rows) and organization_of(rows[0]).deleted_us is None


def organization_of(row: Row) -> Organization:
    return Organization(
        id=row[0],
        name=row[1],
        created_us=row[2],
        updated_us=row[3],
        description=row[4],
        status=row[5],
        limits=None if row[6] is None else msgspec.json.decode(row[6], type=Limits),
        budget=None if row[7] is None else Budget(row[7], row[8]),
        models=None if row[9] is None else msgspec.json.decode(row[9], type=tuple[str, ...]),
        deleted_us=row[10],
    )


def _row(organization: Organization) -> Row:
    budget = organization.budget
    return (
        organization.id,
        organization.name,
        organization.created_us,
        organization.updated_us,
        organization.description,
        organization.status,
        optional_json(organization.limits),
        budget and budget.amount_nano_usd,
        budget and budget.period,
        optional_json(organization.models),
        organization.deleted_us,
    )


def _narrowed(which: Filter) -> tuple[object, ...]:
    return which.status or "", like(which.search)


def _add(organization: Organization, author: Author) -> Unit[None]:
    head = yield from take_head()
    yield from _require_free(organization)
    yield ADD, _row(organization)
    yield from note(head, author, "create", before=None, after=organization)


def _change(
    organization_id: str, edit: Callable[[Organization], Organization], author: Author, action: str
) -> Unit[Organization]:
    head = yield from take_head()
    rows = yield FIND, (organization_id,)
    if not rows:
        raise NotFound("There is no such organization.")
    before = organization_of(rows[0])
    after = edit(before)
    if after == before:
        return before
    after = replace(after, updated_us=author.now_us)
    yield from _require_free(after)
    yield SET, _row(after)
    yield from note(head, author, action, before=before, after=after)
    return after


def _require_free(organization: Organization) -> Unit[None]:
    rows = yield NAMED, (organization.name, organization.id)
    if rows and organization.deleted_us is None:
        raise Conflict("There is an organization of this name.", param="name")
