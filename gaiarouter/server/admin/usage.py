"""The records behind the statistics, a row a request: as JSON in pages, or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

import msgspec

from gaiarouter.server.admin.operation import Call, Operation, Schema, Text
from gaiarouter.server.admin.shapes import PAGING, list_of, listing, page_of, time_text
from gaiarouter.server.admin.statistics import PERIOD, period_of
from gaiarouter.store.base import Store, UsageRecord
from gaiarouter.store.records import LostAttempt, UsageFilter, Window
from gaiarouter.store.rows import USAGE_READ

_MOST_COUNTED: Final = 10_000
_TEXT: Final[Schema] = {"type": "string", "maxLength": 256, "pattern": "^[^\\u0000]*$", "title": "text without NUL"}
_QUERY: Final[Mapping[str, Schema]] = {
    **PERIOD,
    "organization": _TEXT,
    "key": _TEXT,
    "model": {**_TEXT, "description": "As it served."},
    "provider": _TEXT,
    "outcome": {"type": "string", "enum": ["ok", "error", "interrupted", "cancelled"]},
    "request_id": _TEXT,
    "format": {"type": "string", "enum": ["json", "csv"], "default": "json"},
    "page": PAGING["page"],
    "limit": {**PAGING["limit"], "maximum": 1000},
}
_COLUMNS: Final = tuple("time" if name == "time_us" else name for name in USAGE_READ)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_KINDS: Final = {"int": "integer", "str": "string", "bool": "boolean"}


def _member(annotation: str) -> Schema:
    kinds = [_KINDS.get(kind, "null") for kind in annotation.split(" | ")]
    return {"type": kinds if len(kinds) > 1 else kinds[0]}


_LOST: Final[Schema] = {
    "type": "array",
    "description": "Tries whose answer did not become the request's and that the provider may bill all the same: in "
    "none of the other numbers.",
    "items": {
        "title": "LostAttempt",
        "type": "object",
        "required": [field.name for field in fields(LostAttempt)],
        "properties": {field.name: _member(str(field.type)) for field in fields(LostAttempt)},
    },
}
_SPECIAL: Final[Mapping[str, Schema]] = {"time": {"type": "string", "format": "date-time"}, "lost": _LOST}
_RECORD: Final[Schema] = {
    "title": "UsageRecord",
    "type": "object",
    "required": list(_COLUMNS),
    "properties": {
        column: _SPECIAL.get(column) or _member(UsageRecord.__annotations__[name])
        for column, name in zip(_COLUMNS, USAGE_READ, strict=True)
    },
}


class UsageRecords:
    def __init__(self, store: Store) -> None:
        self._store = store

    def operations(self) -> Sequence[Operation]:
        summary = f"The records of requests, the newest first; `total` counts up to {_MOST_COUNTED:,}"
        return [
            Operation(
                *("GET", "/v1/usage", "read", summary),
                self._list,
                list_of(_RECORD),
                query=_QUERY,
                content_types=("application/json", "text/csv"),
            )
        ]

    async def _list(self, call: Call) -> Any:
        which = _filter(call)
        records = await self._store.list_usage(which, page_of(call.query))
        if call.query.get("format") == "csv":
            return Text("text/csv; charset=utf-8", _csv(records))
        total = await self._store.count_usage_of(which, at_most=_MOST_COUNTED)
        return listing(call.query, [_view(record) for record in records], total)


def _filter(call: Call) -> UsageFilter:
    """Who is not an administrator sees its own organization's, whatever it asks for."""
    query = call.query
    organization = query.get("organization") if call.actor.may("admin") else call.actor.organization or ""
    start_us, end_us = period_of(call)
    return UsageFilter(
        Window(start_us, end_us + 1, organization, query.get("key")),
        model=query.get("model"),
        provider=query.get("provider"),
        outcome=query.get("outcome"),
        request_id=query.get("request_id"),
    )


def _view(record: UsageRecord) -> dict[str, Any]:
    return {column: getattr(record, name) for column, name in zip(_COLUMNS, USAGE_READ, strict=True)} | {
        "time": time_text(record.time_us),
        "lost": [asdict(each) for each in record.lost],
    }


def _csv(records: Sequence[UsageRecord]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(value) for value in _view(record).values()] for record in records)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    """Names of models come from callers: none may be a formula to the program that opens the file."""
    if isinstance(value, list):
        return msgspec.json.encode(value).decode() if value else ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
