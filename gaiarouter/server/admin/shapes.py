"""What several resources share: the JSON of times, limits and budgets, its schemas, and lists with pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gaiarouter.config.settings import Limits, Rate
from gaiarouter.config.units import format_rate, parse_rate
from gaiarouter.server.admin.operation import Schema
from gaiarouter.store.records import Budget, Page

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANO: Final = 1_000_000_000

ID: Final[Schema] = {"type": "string", "pattern": "^[a-z]+_[0-9A-Za-z_-]{1,64}$", "title": "an id such as org_1a2b3c"}
NAME: Final[Schema] = {
    "type": "string",
    "pattern": "^(?=.*[^ ])[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]{1,64}$",
    "title": "1 to 64 printable characters",
}
DESCRIPTION: Final[Schema] = {
    "type": ["string", "null"],
    "pattern": "^[^\\u0000]*$",
    "title": "text without NUL",
    "maxLength": 1000,
}
TIME: Final[Schema] = {"type": "string", "format": "date-time", "title": "a time such as 2030-01-31T12:00:00Z"}
TIME_OR_NULL: Final[Schema] = {**TIME, "type": ["string", "null"]}
_RATE: Final[Schema] = {
    "type": ["string", "null"],
    "pattern": "^(unlimited|[0-9]{1,9}[kMG]?/(s|min|h|day))$",
    "title": "a rate such as 600/min, or unlimited",
}
LIMITS: Final[Schema] = {
    "type": ["object", "null"],
    "description": "Null, or a member that is left out or null, takes the default.",
    "additionalProperties": False,
    "properties": {
        "requests": _RATE,
        "tokens": _RATE,
        "concurrent": {
            "type": ["integer", "string", "null"],
            "minimum": 1,
            "maximum": 1_000_000,
            "pattern": "^unlimited$",
            "title": "a whole number from 1, or unlimited",
        },
    },
}
BUDGET: Final[Schema] = {
    "type": ["object", "null"],
    "description": "What may be spent in each period; null is no budget.",
    "additionalProperties": False,
    "required": ["amount_usd", "period"],
    "properties": {
        "amount_usd": {"type": "number", "minimum": 0, "maximum": 1_000_000_000},
        "period": {"type": "string", "enum": ["day", "week", "month", "total"]},
    },
}
MODELS: Final[Schema] = {
    "type": ["array", "null"],
    "description": "Globs over names of models; null is all.",
    "maxItems": 100,
    "uniqueItems": True,
    "items": {
        "type": "string",
        "pattern": "^[^\\u0000-\\u0020\\u007f]{1,128}$",
        "title": "a glob such as `gpt-*`, of 1 to 128 characters without spaces",
    },
}
SEARCH: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "pattern": "^[^\\u0000]*$",
    "title": "text without NUL",
}
PAGING: Final[Mapping[str, Schema]] = {
    "page": {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
}


def page_of(query: Mapping[str, Any]) -> Page:
    limit = query.get("limit", 20)
    return Page(offset=(query.get("page", 1) - 1) * limit, limit=limit)


def listing(query: Mapping[str, Any], data: Sequence[Mapping[str, Any]], total: int) -> Mapping[str, Any]:
    """A page of a list that has `total` entries."""
    page, limit = query.get("page", 1), query.get("limit", 20)
    pages = -(-total // limit)
    return {"data": data, "pagination": {"page": page, "limit": limit, "total": total, "pages": pages}}


def list_of(schema: Schema) -> Schema:
    counts = ("page", "limit", "total", "pages")
    return {
        "type": "object",
        "required": ["data", "pagination"],
        "properties": {
            "data": {"type": "array", "items": schema},
            "pagination": {
                "type": "object",
                "required": list(counts),
                "properties": {name: {"type": "integer", "minimum": 0} for name in counts},
            },
        },
    }


def time_text(time_us: int | None) -> str | None:
    """RFC 3339 in UTC."""
    if time_us is None:
        return None
    time = _EPOCH + timedelta(microseconds=time_us)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def limits_view(limits: Limits | None) -> Mapping[str, Any] | None:
    if limits is None:
        return None
    return {
        "requests": _rate_text(limits.requests),
        "tokens": _rate_text(limits.tokens),
        "concurrent": "unlimited" if limits.concurrent is None else limits.concurrent,
    }


def limits_of(given: Mapping[str, Any] | None, *, now: Limits | None, default: Limits) -> Limits | None:
    """now: what the members that are not given stay, if there are any limits yet."""
    if given is None:
        return None
    kept = now or default

    def rate(name: str, kept: Rate | None, default: Rate | None) -> Rate | None:
        if name not in given:
            return kept
        text = given[name]
        return default if text is None else None if text == "unlimited" else parse_rate(text)

    return Limits(
        requests=rate("requests", kept.requests, default.requests),
        tokens=rate("tokens", kept.tokens, default.tokens),
        concurrent=_concurrent(given["concurrent"], default) if "concurrent" in given else kept.concurrent,
    )


def budget_view(budget: Budget | None) -> Mapping[str, Any] | None:
    return None if budget is None else {"amount_usd": budget.amount_nano_usd / _NANO, "period": budget.period}


def budget_of(given: Mapping[str, Any] | None) -> Budget | None:
    """Exact to the nano-dollar: by the digits that were sent, not by what floating point makes of them."""
    return None if given is None else Budget(int(Decimal(str(given["amount_usd"])) * _NANO), given["period"])


def globs_of(given: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


def _concurrent(given: int | str | None, default: Limits) -> int | None:
    match given:
        case None:
            return default.concurrent
        case str():
            return None  # unlimited
        case _:
            return int(given)


def _rate_text(rate: Rate | None) -> str:
    return "unlimited" if rate is None else format_rate(rate)
