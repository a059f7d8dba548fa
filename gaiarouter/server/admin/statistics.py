"""What was used and spent: sums over whole hours, for all, an organization or a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from typing import Any, Final

from gaiarouter.errors import InvalidRequest
from gaiarouter.server.admin.check import parse_time
from gaiarouter.server.admin.operation import Call, Operation, Schema
from gaiarouter.server.admin.plane import nothing_here
from gaiarouter.server.admin.shapes import TIME, time_text
from gaiarouter.store.base import Store
from gaiarouter.store.records import StatsGroup, Sums, Window
from gaiarouter.store.tables.histogram import BUCKETS, quantile_ms
from gaiarouter.store.tables.usage import HOUR_US, TOKENS

_DAY_US: Final = 24 * HOUR_US
_LAST_US: Final = 30 * _DAY_US
_NANO: Final = 1_000_000_000
_GROUPS: Final[Mapping[str, StatsGroup]] = {
    **dict.fromkeys(("day", "week", "month"), "day"),
    "hour": "hour",
    "model": "model",
    "provider": "provider",
    "key": "key",
    "organization": "organization",
    "route": "route",
}
_TIMES: Final = frozenset({"hour", "day", "week", "month"})
PERIOD: Final[Mapping[str, Schema]] = {
    "start": {**TIME, "description": "Default: 30 days before `end`."},
    "end": {**TIME, "description": "Default: now."},
}
_QUERY: Final[Mapping[str, Schema]] = {
    **PERIOD,
    "group_by": {"type": "string", "enum": list(_GROUPS), "default": "day"},
}

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_QUANTILES: Final[Schema] = {
    "type": "object",
    "description": "Milliseconds, approximate: counted in buckets, read by straight line within one. Null of nothing.",
    "required": ["p50", "p95"],
    "properties": {name: {"type": ["number", "null"]} for name in ("p50", "p95")},
}
_SUMS: Final[Mapping[str, Schema]] = {
    "requests": _COUNT,
    "errors": {**_COUNT, "description": "Those that ended in a status of 400 or more."},
    "unpriced": {**_COUNT, "description": "Answers whose price nobody knows: they are not in the cost."},
    "tokens": {
        "type": "object",
        "description": "By class, and the sums of input and output.",
        "required": ["input", "output", *TOKENS],
        "properties": dict.fromkeys(("input", "output", *TOKENS), _COUNT),
    },
    "cost_usd": {"type": "number", "minimum": 0},
    "cost_nano_usd": {**_COUNT, "description": "The same, exact."},
    "latency_ms": _QUANTILES,
    "first_content_ms": _QUANTILES,
}
_ANSWER: Final[Schema] = {
    "title": "Statistics",
    "type": "object",
    "required": ["period", "summary", "data"],
    "properties": {
        "period": {
            "type": "object",
            "required": ["start", "end", "group_by"],
            "properties": {"start": TIME, "end": TIME, "group_by": {"type": "string"}},
        },
        "summary": {"type": "object", "required": list(_SUMS), "properties": _SUMS},
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["group", *_SUMS],
                "properties": {
                    "group": {"type": ["string", "null"], "description": "A name, or when an hour, day … begins."},
                    **_SUMS,
                },
            },
        },
    },
}


class Statistics:
    def __init__(self, store: Store) -> None:
        self._store = store

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("GET", "/v1/stats", "read", "Usage and cost", self._all, _ANSWER, query=_QUERY),
            Operation(
                *("GET", "/v1/organizations/{id}/stats", "read", "An organization's usage and cost"),
                self._of_organization,
                _ANSWER,
                query=_QUERY,
            ),
            Operation(
                *("GET", "/v1/api-keys/{id}/stats", "read", "A key's usage and cost"),
                self._of_key,
                _ANSWER,
                query=_QUERY,
            ),
        ]

    async def _all(self, call: Call) -> Any:
        seen = None if call.actor.may("admin") else call.actor.organization or ""
        return await self._answer(call, organization=seen)

    async def _of_organization(self, call: Call) -> Any:
        organization = call.path["id"]
        if not call.actor.sees(organization) or await self._store.find_organization(organization) is None:
            raise nothing_here("organization")
        return await self._answer(call, organization=organization)

    async def _of_key(self, call: Call) -> Any:
        key = await self._store.find_key(call.path["id"])
        if key is None or not call.actor.sees(key.organization):
            raise nothing_here("key")
        return await self._answer(call, key=key.id)

    async def _answer(self, call: Call, *, organization: str | None = None, key: str | None = None) -> Any:
        group = call.query.get("group_by", "day")
        start_us, end_us = whole_hours(*period_of(call))
        found = await self._store.usage_sums(Window(start_us, end_us, organization, key), _GROUPS[group])
        groups: dict[str | int, Sums] = {}
        for name, sums in found:
            into = _begins(name, group) if isinstance(name, int) else name
            groups[into] = groups[into] + sums if into in groups else sums
        return {
            "period": {"start": time_text(start_us), "end": time_text(end_us), "group_by": group},
            "summary": sums_view(reduce(add, groups.values(), NOTHING)),
            "data": [{"group": _name(name), **sums_view(sums)} for name, sums in groups.items()],
        }


NOTHING: Final = Sums(0, 0, 0, dict.fromkeys(TOKENS, 0), 0, (0,) * BUCKETS, (0,) * BUCKETS)


def period_of(call: Call) -> tuple[int, int]:
    """Raises InvalidRequest where it ends before it begins."""
    end_us = parse_time(call.query["end"]) if "end" in call.query else call.now_us
    start_us = parse_time(call.query["start"]) if "start" in call.query else end_us - _LAST_US
    if end_us < start_us:
        raise InvalidRequest("The period ends before it begins.", param="end")
    return start_us, end_us


def whole_hours(start_us: int, end_us: int) -> tuple[int, int]:
    """The hours that the period touches."""
    return start_us - start_us % HOUR_US, end_us + -end_us % HOUR_US


def _begins(time: int, group: str) -> int:
    """When the week or month of a day begins; weeks on Monday."""
    if group not in ("week", "month"):
        return time
    day = datetime.fromtimestamp(time / 1e6, tz=UTC)
    start = day.replace(day=1) if group == "month" else day - timedelta(days=day.weekday())
    return int(start.timestamp()) * 1_000_000


def _name(group: str | int) -> str | None:
    return time_text(group) if isinstance(group, int) else group or None


def sums_view(sums: Sums) -> Mapping[str, Any]:
    by_class = dict(sums.tokens)
    return {
        "requests": sums.requests,
        "errors": sums.errors,
        "unpriced": sums.unpriced,
        "tokens": {
            "input": sum(count for name, count in by_class.items() if name.startswith("in_")),
            "output": sum(count for name, count in by_class.items() if name.startswith("out_")),
            **by_class,
        },
        "cost_usd": sums.cost_nano_usd / _NANO,
        "cost_nano_usd": sums.cost_nano_usd,
        "latency_ms": _quantiles(sums.durations),
        "first_content_ms": _quantiles(sums.first_contents),
    }


def _quantiles(counts: Sequence[int]) -> Mapping[str, float | None]:
    return {"p50": quantile_ms(counts, 0.5), "p95": quantile_ms(counts, 0.95)}
