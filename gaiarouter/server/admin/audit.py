from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from gaiarouter.server.admin.operation import Call, Operation, Schema
from gaiarouter.server.admin.shapes import ID, PAGING, TIME, list_of, listing, page_of, time_text
from gaiarouter.store.records import AuditEntry
from gaiarouter.store.tables.protocols import AuditTable

_CHANGED: Final[Schema] = {
    "type": ["object", "null"],
    "description": "The members that changed, without secrets; as the store keeps them: times in microseconds.",
}
ENTRY: Final[Schema] = {
    "title": "AuditEntry",
    "type": "object",
    "required": ["seq", "time", "actor", "action", "target", "before", "after", "hash"],
    "properties": {
        "seq": {"type": "integer"},
        "time": TIME,
        "actor": {"type": "string", "description": "A key's id, `admin key`, `cli`, or `system`: the gateway itself."},
        "action": {"type": "string", "description": "Such as `key.rotate`; `auth.refused`: who was not let in."},
        "target": {"type": "string", "description": "An id; of `auth.refused` `models` or `control_plane`."},
        "organization": {"type": ["string", "null"]},
        "request_id": {"type": ["string", "null"]},
        "before": _CHANGED,
        "after": _CHANGED,
        "previous_hash": {"type": "string"},
        "hash": {"type": "string", "description": "Over this entry and the hash before it."},
    },
}
_TARGET: Final[Schema] = {
    "type": "string",
    "anyOf": [ID, {"enum": ["models", "control_plane"]}],
    "description": "What became of this record alone; or who was not let in there.",
}
_QUERY: Final[Mapping[str, Schema]] = {**PAGING, "target": _TARGET}


class Audit:
    def __init__(self, store: AuditTable) -> None:
        self._store = store

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                "GET",
                "/v1/audit-log",
                "admin",
                "Who changed what, the newest first",
                self.list,
                list_of(ENTRY),
                query=_QUERY,
            ),
        )

    async def list(self, call: Call) -> Mapping[str, Any]:
        target = call.query.get("target")
        total = await self._store.count_audit(target=target)
        found = await self._store.list_audit(target=target, page=page_of(call.query))
        return listing(call.query, [entry_view(entry) for entry in found], total)


def entry_view(entry: AuditEntry) -> Mapping[str, Any]:
    return {
        "seq": entry.seq,
        "time": time_text(entry.time_us),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "organization": entry.organization,
        "request_id": entry.request_id,
        "before": None if entry.before is None else orjson.loads(entry.before),
        "after": None if entry.after is None else orjson.loads(entry.after),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }
