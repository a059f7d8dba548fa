"""Records to rows and back. What is written here always fits: a row that the database would refuse could hold up
every row behind it, and some of these values come from callers and providers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from itertools import chain, repeat
from operator import add, attrgetter
from typing import Any

import msgspec
from msgspec import structs

from gaiarouter.store.records import LostAttempt, UsageRecord

Row = tuple[Any, ...]

MAX_TEXT = 200
_MAX_BIGINT = 2**63 - 1
_MOST_LOST = 20
_PLAIN = UsageRecord.__struct_fields__[: UsageRecord.__struct_fields__.index("lost")]
USAGE_READ = (*_PLAIN, "lost")
USAGE_WRITTEN = (*USAGE_READ, "lost_nano_usd")
"""Columns of usage_records, as usage_of takes and usage_rows gives them."""
_NONE_LOST: Row = (None, None)
_attempts_lost = attrgetter("lost")
_LOST = tuple(field.name for field in fields(LostAttempt))
_lost_values = attrgetter(*_LOST)
lost_of = msgspec.json.Decoder(tuple[LostAttempt, ...]).decode


def usage_rows(records: Sequence[UsageRecord]) -> list[Row]:
    plain = [values[: len(_PLAIN)] for values in map(structs.astuple, records)]
    if not _are_storable(plain):
        plain = [tuple(map(storable, values)) for values in plain]
    if not any(map(_attempts_lost, records)):
        return list(map(add, plain, repeat(_NONE_LOST)))
    return [
        (*values, _lost(record.lost), storable(record.lost_nano_usd)) if record.lost else (*values, *_NONE_LOST)
        for values, record in zip(plain, records, strict=True)
    ]


def _are_storable(rows: Sequence[Row]) -> bool:
    """As almost always: a look at each value by itself costs more than writing the rows."""
    values = set(chain.from_iterable(rows))
    texts = [value for value in values if value.__class__ is str]
    numbers = [value for value in values if value.__class__ is int]
    joined = "".join(texts)
    return (
        joined.isascii()
        and "\0" not in joined
        and max(map(len, texts), default=0) <= MAX_TEXT
        and max(numbers, default=0) <= _MAX_BIGINT
        and min(numbers, default=0) >= -_MAX_BIGINT
    )


def usage_of(row: Row) -> UsageRecord:
    values = list(row)
    for index in _FLAGS:
        values[index] = bool(values[index])  # SQLite has no boolean of its own
    values[-1] = () if values[-1] is None else lost_of(values[-1])
    return UsageRecord(*values)


def _lost(attempts: tuple[LostAttempt, ...]) -> str:
    """JSON of whole attempts, whatever their names."""
    kept = [dict(zip(_LOST, map(storable, _lost_values(each)), strict=True)) for each in attempts[:_MOST_LOST]]
    return msgspec.json.encode(kept).decode()


_FLAGS = tuple(index for index, name in enumerate(UsageRecord.__struct_fields__) if name in ("streamed", "estimated"))


def optional_json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def like(search: str | None) -> str:
    """A pattern for `LIKE … ESCAPE '!'` that finds the text anywhere; empty finds everything."""
    escaped = re.sub("[!%_]", r"!\g<0>", (search or "").lower())
    return f"%{escaped}%" if escaped else ""


def storable(value: str | int | bool | None) -> str | int | bool | None:
    if value.__class__ is str:
        return value if len(value) <= MAX_TEXT and value.isascii() and "\0" not in value else _storable_text(value)
    if value is None or value.__class__ is bool:
        return value
    return min(max(value, -_MAX_BIGINT), _MAX_BIGINT)


def _storable_text(value: str) -> str:
    """PostgreSQL refuses NUL; no database takes half a surrogate pair."""
    return value[:MAX_TEXT].replace("\0", "?").encode("utf-8", "replace").decode()
