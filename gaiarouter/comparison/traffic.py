"""With the usage of a day: which share of requests would have gone elsewhere, and at what price.

A model's requests are priced by their average usage. What has no price makes its model unpriced, which is not 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gaiarouter.canonical.usage import Usage
from gaiarouter.comparison.tables import Way, way
from gaiarouter.config.settings import Settings
from gaiarouter.ledger.pricing import Pricing
from gaiarouter.providers.prices import Prices, PriceTable
from gaiarouter.routing.table import Table

Price = Callable[[str, str, Usage], int | None]
"""Nano-dollars, by provider, its model and one request's usage; None is unpriced."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What callers asked of one model. usage: of all requests in all."""

    model: str
    requests: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class ModelTraffic:
    """elsewhere: the share of its requests that another target would have had. Costs in nano-dollars; None is unpriced,
    or not known because the shares are not fixed."""

    model: str
    requests: int
    elsewhere: float | None
    cost_before: int | None
    cost_after: int | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """models: those of which anything would have changed, the most asked for first. Costs are of the models that are
    priced in both tables; unpriced: how many requests of others there were."""

    requests: int
    elsewhere: float
    unknown: int
    cost_before: int
    cost_after: int
    unpriced: int
    models: tuple[ModelTraffic, ...]


def moved(before: Way | None, after: Way | None) -> float | None:
    """The share that goes elsewhere; None where nobody can say."""
    old: Mapping[str, float | None] = before.shares if before else {"": 1.0}
    new: Mapping[str, float | None] = after.shares if after else {"": 1.0}
    if set(old).isdisjoint(new):
        return 1.0
    if old == new:
        return 0.0
    lost = 0.0
    for target, share in old.items():
        left = new.get(target, 0.0)
        if share is None or left is None:
            return None
        lost += max(0.0, share - left)
    return lost


def between(before: Settings, after: Settings, asked: Sequence[Asked]) -> Traffic:
    table = PriceTable.load()
    prices = (Pricing(Prices(table, before.providers)), Pricing(Prices(table, after.providers)))
    return traffic(asked, (Table(before), Table(after)), prices)


def traffic(asked: Sequence[Asked], tables: tuple[Table, Table], prices: tuple[Price, Price]) -> Traffic:
    """tables, prices: before and after."""
    rows = []
    for each in asked:
        was, now = (way(table, each.model) for table in tables)
        costs = (_cost(each, way_, price) for way_, price in zip((was, now), prices, strict=True))
        rows.append(ModelTraffic(each.model, each.requests, moved(was, now), *costs))
    rows.sort(key=lambda row: -row.requests)
    total = sum(row.requests for row in rows)
    known = [row for row in rows if row.elsewhere is not None]
    priced = [row for row in rows if row.cost_before is not None and row.cost_after is not None]
    return Traffic(
        requests=total,
        elsewhere=sum(row.requests * (row.elsewhere or 0.0) for row in known) / total if total else 0.0,
        unknown=total - sum(row.requests for row in known),
        cost_before=sum(row.cost_before or 0 for row in priced),
        cost_after=sum(row.cost_after or 0 for row in priced),
        unpriced=total - sum(row.requests for row in priced),
        models=tuple(row for row in rows if row.elsewhere != 0 or row.cost_before != row.cost_after),
    )


def _cost(asked: Asked, way_: Way | None, price: Price) -> int | None:
    """Of all its requests, if they had gone this way; nobody's cost nothing."""
    if way_ is None:
        return 0
    usage, cost = _average(asked), 0.0
    for target, share in way_.shares.items():
        provider, _, model = target.partition("/")
        each = price(provider, model, usage)
        if share is None or each is None:
            return None
        cost += share * each
    return round(cost * asked.requests)


def _average(asked: Asked) -> Usage:
    total, count = asked.usage, asked.requests
    return Usage(
        in_uncached=round(total.in_uncached / count),
        in_cache_read=round(total.in_cache_read / count),
        in_cache_write=round(total.in_cache_write / count),
        in_tool=round(total.in_tool / count),
        out_visible=round(total.out_visible / count),
        out_reasoning=round(total.out_reasoning / count),
    )
