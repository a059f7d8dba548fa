from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gaiarouter.errors import Conflict, InvalidRequest, NotFound
from gaiarouter.store.database import Database, Unit
from gaiarouter.store.records import ALL, WHOLE, Author, Filter, Page, User
from gaiarouter.store.rows import Row, like
from gaiarouter.store.tables import organizations
from gaiarouter.store.tables.audit import note, take_head

FIND = """
SELECT id, organization, email, name, role, created_us, updated_us, status, password_hash, last_login_us, deleted_us
FROM users WHERE id = $1
"""

_WHERE = """
WHERE (deleted_us IS NULL) = ($1 <> 'deleted') AND (status = $1 OR $1 IN ('', 'deleted'))
  AND ($2 = '' OR LOWER(name) LIKE $2 ESCAPE '!' OR email LIKE $2 ESCAPE '!' OR LOWER(id) LIKE $2 ESCAPE '!')
  AND (organization = $3 OR $3 IS NULL) AND (role = $4 OR $4 IS NULL)
"""

LIST = f"""
SELECT id, organization, email, name, role, created_us, updated_us, status, password_hash, last_login_us, deleted_us
FROM users {_WHERE} ORDER BY created_us, id LIMIT $5 OFFSET $6
"""  # noqa: S608  # two constants

COUNT = f"SELECT count(*) FROM users {_WHERE}"  # noqa: S608  # two constants

ADDRESSED = "SELECT id FROM users WHERE email = $1 AND deleted_us IS NULL AND id <> $2"

ADD = """
INSERT INTO users (id, organization, email, name, role, created_us, updated_us, status, password_hash, last_login_us,
                   deleted_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

SET = """
UPDATE users SET organization = $2, email = $3, name = $4, role = $5, created_us = $6, updated_us = $7, status = $8,
                 password_hash = $9, last_login_us = $10, deleted_us = $11
WHERE id = $1
"""


class SqlUsers:
    """Implements UserTable."""

    _database: Database

    async def find_user(self, user_id: str) -> User | None:
        rows = await self._database.read(FIND, user_id)
        return User(*rows[0]) if rows else None

    async def list_users(self, which: Filter = ALL, page: Page = WHOLE) -> Sequence[User]:
        return [User(*row) for row in await self._database.read(LIST, *_narrowed(which), page.limit, page.offset)]

    async def count_users(self, which: Filter) -> int:
        return int((await self._database.read(COUNT, *_narrowed(which)))[0][0])

    async def add_user(self, user: User, author: Author) -> None:
        await self._database.change(lambda: _add(user, author))

    async def change_user(self, user_id: str, edit: Callable[[User], User], author: Author) -> User:
        def checked(before: User) -> User:
            if before.deleted_us is not None:
                raise Conflict("The user is deleted.")
            return edit(before)

        return await self._database.change(lambda: _change(user_id, checked, author, "update"))

    async def delete_user(self, user_id: str, author: Author) -> User:
        def deleted(before: User) -> User:
            return before if before.deleted_us is not None else replace(before, deleted_us=author.now_us)

        return await self._database.change(lambda: _change(user_id, deleted, author, "delete"))


def may_own(user_id: str, organization: str | None) -> Unit[bool]:
    """Whether keys of this organization may be the user's."""
    rows = yield FIND, (user_id,)
    if not rows:
        return False
    user = User(*rows[0])
    return user.deleted_us is None and user.organization == organization


def _row(user: User) -> Row:
    return (
        user.id,
        user.organization,
        user.email,
        user.name,
        user.role,
        user.created_us,
        user.updated_us,
        user.status,
        user.password_hash,
        user.last_login_us,
        user.deleted_us,
    )


def _narrowed(which: Filter) -> tuple[object, ...]:
    return which.status or "", like(which.search), which.organization, which.role


def _add(user: User, author: Author) -> Unit[None]:
    head = yield from take_head()
    if not (yield from organizations.exists(user.organization)):
        raise InvalidRequest("There is no such organization.", param="organization")
    yield from _require_free(user)
    yield ADD, _row(user)
    yield from note(head, author, "create", before=None, after=user)


def _change(user_id: str, edit: Callable[[User], User], author: Author, action: str) -> Unit[User]:
    head = yield from take_head()
    rows = yield FIND, (user_id,)
    if not rows:
        raise NotFound("There is no such user.")
    before = User(*rows[0])
    after = edit(before)
    if after == before:
        return before
    after = replace(after, updated_us=author.now_us)
    yield from _require_free(after)
    yield SET, _row(after)
    yield from note(head, author, action, before=before, after=after)
    return after


def _require_free(user: User) -> Unit[None]:
    rows = yield ADDRESSED, (user.email, user.id)
    if rows and user.deleted_us is None:
        raise Conflict("There is a user of this address.", param="email")
