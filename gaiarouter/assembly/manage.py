"""`gaiarouter orgs|users|keys|audit`: the control plane's own operations, on the store itself and without HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gaiarouter.assembly.control import pepper_of, stored
from gaiarouter.config.management import OPERATIONS
from gaiarouter.config.settings import Settings
from gaiarouter.server.admin.access import COMMAND_LINE
from gaiarouter.server.admin.operation import Call
from gaiarouter.server.admin.plane import perform
from gaiarouter.store.base import Store
from gaiarouter.store.keyring import now_us

_PLAIN: Final = {
    **{name: name for name in ("name", "description", "status", "organization", "email", "role", "owner", "budget")},
    **{name: name for name in ("inference", "unsupported", "log_bodies")},
    "model": "models",
    "permission": "permissions",
}
_LIMITS: Final = ("requests", "tokens", "concurrent")
_COLUMNS: Final = {
    "orgs": ("id", "name", "status", "budget", "created_at"),
    "users": ("id", "organization", "email", "role", "status", "created_at"),
    "audit": ("seq", "time", "actor", "action", "target"),
}
_PAGE: Final = 100


async def manage(settings: Settings, store: Store, command: str, given: Mapping[str, Any]) -> Any:
    """What the operation answers; of a list, the entries of all its pages. Raises GatewayError."""
    operations = {each.id: each for each in stored(store, lambda: settings.limits, pepper_of(settings))}
    operation, now = operations[OPERATIONS[command]], now_us()

    async def ask(query: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
        path = {"id": given["id"]} if "id" in given else {}
        return await perform(operation, Call(COMMAND_LINE, now, "", path, query, body))

    if command.endswith(" list"):
        wanted = {name: given[name] for name in ("status", "search", "target") if name in given}
        found: list[Any] = []
        while True:
            answer = await ask({**wanted, "page": len(found) // _PAGE + 1, "limit": _PAGE}, {})
            found.extend(answer["data"])
            if len(answer["data"]) < _PAGE:
                return found
    return await ask({}, {} if operation.body is None else body_of(given, now))


def body_of(given: Mapping[str, Any], now: int) -> Mapping[str, Any]:
    """The body that says what the options say."""
    body: dict[str, Any] = {field: given[option] for option, field in _PLAIN.items() if option in given}
    if "permission" in given:
        body["permissions"] = list(dict.fromkeys(given["permission"]))
    if limits := {name: given[name] for name in _LIMITS if name in given}:
        body["limits"] = limits
    if "expires" in given:
        end = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now, seconds=given["expires"])
        body["expires_at"] = end.isoformat()
    if "overlap" in given:
        body["overlap_seconds"] = round(given["overlap"])
    body.update(dict.fromkeys(given.get("clear", ())))
    return body


def table(command: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Aligned, an entry a line."""
    columns = _COLUMNS[command.split()[0]]
    lines = [[name.upper() for name in columns], *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def page(record: Mapping[str, Any]) -> str:
    """A member a line."""
    width = max(map(len, record))
    return "\n".join(f"{name.ljust(width)}  {_cell(value)}".rstrip() for name, value in record.items())


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case {"amount_usd": amount, "period": period}:
            return f"{amount:g} USD/{period}"
        case dict():
            return ", ".join(f"{name} {_cell(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(map(_cell, value)) or "none"
        case _:
            return str(value)
