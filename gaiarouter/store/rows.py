"""Records to rows and back. What is written here always fits: a row that the database would refuse could hold up
every row behind it, and some of these values come from callers and providers.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any

import msgspec

from gaiarouter.config.settings import Limits
from gaiarouter.store.base import ApiKey, Permission, UsageRecord

Row = tuple[Any, ...]

MAX_TEXT = 200
_MAX_BIGINT = 2**63 - 1
_usage_values = attrgetter(*(field.name for field in fields(UsageRecord)))


def key_row(key: ApiKey) -> Row:
    return (
        key.id,
        key.name,
        key.secret_hash.hex(),
        key.created_us,
        key.organization,
        _json(key.permissions),
        None if key.models is None else _json(key.models),
        None if key.limits is None else _json(key.limits),
        key.inference,
        key.expires_us,
        key.revoked_us,
        key.last_used_us,
        key.unsupported,
    )


def key_of(row: Row) -> ApiKey:
    permissions, models, limits = row[5:8]
    return ApiKey(
        id=row[0],
        name=row[1],
        secret_hash=bytes.fromhex(row[2]),
        created_us=row[3],
        organization=row[4],
        permissions=msgspec.json.decode(permissions, type=tuple[Permission, ...]),
        models=None if models is None else msgspec.json.decode(models, type=tuple[str, ...]),
        limits=None if limits is None else msgspec.json.decode(limits, type=Limits),
        inference=bool(row[8]),
        expires_us=row[9],
        revoked_us=row[10],
        last_used_us=row[11],
        unsupported=row[12],
    )


def usage_row(record: UsageRecord) -> Row:
    return tuple(_storable(value) for value in _usage_values(record))


def usage_of(row: Row) -> UsageRecord:
    values = list(row)
    for index in _FLAGS:
        values[index] = bool(values[index])  # SQLite has no boolean of its own
    return UsageRecord(*values)


_FLAGS = tuple(index for index, field in enumerate(fields(UsageRecord)) if field.name in ("streamed", "estimated"))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _storable(value: str | int | bool | None) -> str | int | bool | None:
    match value:
        case bool() | None:
            return value
        case str():
            return value if len(value) <= MAX_TEXT and value.isascii() and "\0" not in value else _storable_text(value)
        case int():
            return min(max(value, -_MAX_BIGINT), _MAX_BIGINT)


def _storable_text(value: str) -> str:
    """PostgreSQL refuses NUL; no database takes half a surrogate pair."""
    return value[:MAX_TEXT].replace("\0", "?").encode("utf-8", "replace").decode()
