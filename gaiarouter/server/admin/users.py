from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gaiarouter.server.admin.ids import new_id, require_id
from gaiarouter.server.admin.operation import Call, Operation, Schema
from gaiarouter.server.admin.organizations import author_of
from gaiarouter.server.admin.plane import nothing_here
from gaiarouter.server.admin.shapes import (
    ID,
    NAME,
    PAGING,
    SEARCH,
    TIME,
    TIME_OR_NULL,
    list_of,
    listing,
    page_of,
    time_text,
)
from gaiarouter.store.records import Filter, User
from gaiarouter.store.tables.protocols import UserTable

_PATH: Final = "/v1/users"

_ROLE: Final[Schema] = {
    "type": "string",
    "enum": ["read", "write", "admin"],
    "description": "As the permissions of keys.",
}
_FIELDS: Final[Mapping[str, Schema]] = {
    "email": {
        "type": "string",
        "maxLength": 254,
        "pattern": "^[^\\u0000-\\u0020\\u007f-\\u00a0@]{1,64}@[^\\u0000-\\u0020\\u007f-\\u00a0@]{1,189}$",
        "title": "an address such as ada@example.com",
        "description": "Unique among those that are not deleted, whatever the case.",
    },
    "name": {**NAME, "type": ["string", "null"]},
    "role": _ROLE,
    "status": {
        "type": "string",
        "enum": ["active", "suspended"],
        "description": "The keys of a suspended owner stop at once.",
    },
}
_NEW: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["organization", "email"],
    "properties": {"organization": ID, **_FIELDS},
    "examples": [{"organization": "org_1a2b3c", "email": "ada@example.com", "name": "Ada", "role": "write"}],
}
_CHANGES: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "description": "What is left out stays. A user's organization cannot be changed.",
    "properties": _FIELDS,
    "examples": [{"status": "suspended"}],
}
USER: Final[Schema] = {
    "title": "User",
    "type": "object",
    "required": ["id", "organization", "email", "role", "status", "created_at", "updated_at", "deleted_at"],
    "properties": {
        **_FIELDS,
        "id": ID,
        "organization": ID,
        "status": {"type": "string", "enum": ["active", "suspended", "deleted"]},
        "created_at": TIME,
        "updated_at": TIME,
        "last_login_at": TIME_OR_NULL,
        "deleted_at": TIME_OR_NULL,
    },
}
_QUERY: Final[Mapping[str, Schema]] = {
    **PAGING,
    "organization": ID,
    "role": _ROLE,
    "status": {
        "type": "string",
        "enum": ["active", "suspended", "deleted"],
        "description": "Without it: all but the deleted.",
    },
    "search": {**SEARCH, "description": "In the name, the address or the id."},
}


class Users:
    def __init__(self, store: UserTable) -> None:
        self._store = store

    def operations(self) -> Sequence[Operation]:
        one = _PATH + "/{id}"
        return (
            Operation("POST", _PATH, "admin", "Make a user", self.create, USER,
                      status=201, body=_NEW, may_conflict=True),
            Operation("GET", _PATH, "admin", "List users, the oldest first", self.list, list_of(USER), query=_QUERY),
            Operation("GET", one, "admin", "A user", self.find, USER),
            Operation("PATCH", one, "admin", "Change a user", self.change, USER, body=_CHANGES, may_conflict=True),
            Operation("DELETE", one, "admin", "Delete a user: the keys that it owns stop", self.delete, USER),
        )  # fmt: skip

    async def create(self, call: Call) -> Mapping[str, Any]:
        blank = User(new_id("user_"), call.body["organization"], "", None, "read", call.now_us, call.now_us)
        user = _edited(blank, call.body)
        await self._store.add_user(user, author_of(call))
        return user_view(user)

    async def list(self, call: Call) -> Mapping[str, Any]:
        query = call.query
        which = Filter(
            status=query.get("status"),
            search=query.get("search"),
            organization=query.get("organization"),
            role=query.get("role"),
        )
        total = await self._store.count_users(which)
        found = await self._store.list_users(which, page_of(query))
        return listing(query, [user_view(each) for each in found], total)

    async def find(self, call: Call) -> Mapping[str, Any]:
        user = await self._store.find_user(require_id(call, "user_", "user"))
        if user is None:
            raise nothing_here("user")
        return user_view(user)

    async def change(self, call: Call) -> Mapping[str, Any]:
        user_id = require_id(call, "user_", "user")
        changed = await self._store.change_user(user_id, lambda before: _edited(before, call.body), author_of(call))
        return user_view(changed)

    async def delete(self, call: Call) -> Mapping[str, Any]:
        return user_view(await self._store.delete_user(require_id(call, "user_", "user"), author_of(call)))


def user_view(user: User) -> Mapping[str, Any]:
    return {
        "id": user.id,
        "organization": user.organization,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "status": "deleted" if user.deleted_us is not None else user.status,
        "created_at": time_text(user.created_us),
        "updated_at": time_text(user.updated_us),
        "last_login_at": time_text(user.last_login_us),
        "deleted_at": time_text(user.deleted_us),
    }


def _edited(before: User, body: Mapping[str, Any]) -> User:
    return replace(
        before,
        email=body["email"].lower() if "email" in body else before.email,
        name=body.get("name", before.name),
        role=body.get("role", before.role),
        status=body.get("status", before.status),
    )
