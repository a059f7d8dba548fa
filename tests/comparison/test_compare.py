"""What differs between two tables, and what a day's usage makes of it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.comparison.tables import Changed, Difference, Way, compare
from gaiarouter.comparison.traffic import Asked, moved, traffic
from gaiarouter.comparison.values import Change
from gaiarouter.config.loader import load_mapping
from gaiarouter.config.settings import Settings
from gaiarouter.providers import known_kinds
from gaiarouter.routing.table import Table

TABLE: dict[str, Any] = {
    "providers": {
        "a": {"dialect": "vllm", "base_url": "http://a.example/v1", "api_key": "sk-secret-of-a"},
        "b": {"dialect": "vllm", "base_url": "http://b.example/v1"},
        "c": {"dialect": "vllm", "base_url": "http://c.example/v1", "api_key": ""},
    },
    "routes": [
        {"match": "one", "targets": [{"provider": "a"}], "fallbacks": [{"provider": "b", "model": "x"}]},
        {"match": "two-*", "targets": [{"provider": "b", "model": "{1}"}]},
    ],
    "limits": {"requests": "600/min"},
}


def settings(table: dict[str, Any]) -> Settings:
    found = load_mapping(table, known_kinds=known_kinds()).settings
    assert found is not None
    return found


def changed(**edits: Any) -> dict[str, Any]:
    return {**deepcopy(TABLE), **edits}


def routes(*routes: dict[str, Any]) -> dict[str, Any]:
    return changed(routes=list(routes))


ONE, TWO = TABLE["routes"]


def differs(table: dict[str, Any], *models: str) -> Difference:
    return compare(settings(TABLE), settings(table), models)


def test_the_same_table_differs_in_nothing() -> None:
    assert differs(deepcopy(TABLE), "one", "two-x", "other").is_empty


def test_a_share_that_changes_is_told_of_its_route_and_its_models() -> None:
    targets = [{"provider": "a", "weight": 3}, {"provider": "c", "model": "y"}]
    it = differs(routes({**ONE, "targets": targets}, TWO))
    assert it.routes == (Changed("one", "changed", (Change("targets", "a/{model}", "a/{model} 0.75, c/y 0.25"),)),)
    (model,) = it.models
    assert (model.model, model.before) == ("one", Way("one", {"a/one": 1.0}, ("b/x",)))
    assert model.after == Way("one", {"a/one": 0.75, "c/y": 0.25}, ("b/x",)), "off here says nothing of there"


@pytest.mark.parametrize(
    ("route", "change"),
    [
        ({"fallbacks": [{"model": "two-z"}]}, Change("fallbacks", "b/x", "model two-z")),
        (
            {"fallbacks": [{"provider": "b", "model": "x", "on": ["context_length"]}]},
            Change("fallbacks", "b/x", "b/x after context_length"),
        ),
        ({"fallbacks": []}, Change("fallbacks", "b/x", None)),
    ],
)
def test_a_chain_that_changes_is_told(route: dict[str, Any], change: Change) -> None:
    it = differs(routes({**ONE, **route}, TWO))
    assert it.routes == (Changed("one", "changed", (change,)),)
    assert [each.model for each in it.models] == ["one"]


@pytest.mark.parametrize(
    ("route", "change"),
    [
        ({"timeouts": {"total": "5m"}}, Change("timeouts.total_s", "900", "300")),
        ({"balance": "least_busy"}, Change("balance", "weighted", "least_busy")),
        ({"transform": {"set": {"user": "x"}}}, Change("transform.set.user", None, "x")),
        ({"match": ["one", "uno"]}, Change("match", "one", "one, uno")),
    ],
)
def test_a_routes_settings_are_told(route: dict[str, Any], change: Change) -> None:
    assert differs(routes({**ONE, **route}, TWO)).routes == (Changed("one", "changed", (change,)),)


def test_routes_that_come_and_go_and_models_that_lose_theirs() -> None:
    it = differs(routes(ONE, {"match": "three", "targets": [{"provider": "a"}]}), "two-x")
    assert it.routes == (Changed("two-*", "removed"), Changed("three", "added"))
    told = {each.model: (each.before and each.before.route, each.after and each.after.route) for each in it.models}
    assert told == {"three": (None, "three"), "two-x": ("two-*", None)}


def test_the_order_of_routes_is_a_setting() -> None:
    assert differs(routes(TWO, ONE)).settings == (Change("order of routes", "one, two-*", "two-*, one"),)


def test_other_settings_are_told() -> None:
    it = differs(changed(limits={"requests": "60/min"}, server={"port": 9000}))
    assert it.settings == (
        Change("server.port", "8000", "9000"),
        Change("limits.requests", "600 each 60 s", "60 each 60 s"),
    )


def test_providers_are_compared_and_their_secrets_not_shown() -> None:
    providers = deepcopy(TABLE["providers"])
    providers["a"]["api_key"] = "sk-another-of-a"
    providers["b"]["base_url"] = "http://elsewhere.example/v1"
    providers["d"] = {"dialect": "echo"}
    it = differs(changed(providers=providers))
    assert "sk-" not in repr(it)
    assert [(each.name, each.kind) for each in it.providers] == [("a", "changed"), ("b", "changed"), ("d", "added")]
    assert it.providers[0].changes == (Change("keys", "1 of them", "1 of them"),)
    assert it.providers[1].changes == (Change("base_url", "http://b.example/v1", "http://elsewhere.example/v1"),)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        ({"a": 1.0}, {"a": 1.0}, 0.0),
        ({"a": 1.0}, {"b": 1.0}, 1.0),
        ({"a": 1.0}, {"a": 0.9, "b": 0.1}, 0.1),
        ({"a": 0.5, "b": 0.5}, {"b": 0.5, "c": 0.5}, 0.5),
        ({"a": 1.0}, None, 1.0),
        (None, None, 0.0),
        ({"a": None, "b": None}, {"a": None, "b": None}, 0.0),
        ({"a": None, "b": None}, {"a": None}, None),
        ({"a": None, "b": None}, {"c": None, "d": None}, 1.0),
    ],
)
def test_how_much_goes_elsewhere(
    before: dict[str, float | None] | None, after: dict[str, float | None] | None, share: float | None
) -> None:
    ways = [each if each is None else Way("r", each) for each in (before, after)]
    found = moved(*ways)
    assert found == (share if share is None else pytest.approx(share))


def price(prices: dict[str, int]) -> Any:
    """Nano-dollars a token, by provider."""

    def of(provider: str, _: str, usage: Usage) -> int | None:
        each = prices.get(provider)
        return None if each is None else each * usage.total_tokens

    return of


def test_a_days_usage_is_weighed_and_priced() -> None:
    after = routes({**ONE, "targets": [{"provider": "a", "weight": 3}, {"provider": "b", "weight": 1}]}, TWO)
    tables = (Table(settings(TABLE)), Table(settings(after)))
    asked = [
        Asked("one", 100, Usage(in_uncached=900, out_visible=100)),
        Asked("two-x", 300, Usage(in_uncached=300)),
        Asked("nothing", 100, Usage()),
    ]
    it = traffic(asked, tables, (price({"a": 10, "b": 2}), price({"a": 10, "b": 2})))
    assert (it.requests, it.unknown, it.unpriced) == (500, 0, 0)
    assert it.elsewhere == pytest.approx(0.05), "a quarter of 100 of 500"
    # 100 requests of 10 tokens: at 10 each, then three quarters at 10 and one at 2; beside 300 of 1 token at 2
    assert (it.cost_before, it.cost_after) == (10_000 + 600, 8_000 + 600)
    (row,) = it.models
    assert (row.model, row.requests, row.elsewhere, row.cost_before, row.cost_after) == (
        "one",
        100,
        0.25,
        10_000,
        8_000,
    )


def test_what_has_no_price_is_unpriced_and_not_free() -> None:
    after = routes({**ONE, "targets": [{"provider": "b"}]}, TWO)
    tables = (Table(settings(TABLE)), Table(settings(after)))
    asked = [Asked("one", 10, Usage(in_uncached=100)), Asked("two-x", 1, Usage(in_uncached=5))]
    it = traffic(asked, tables, (price({"a": 10}), price({"a": 10})))
    assert (it.unpriced, it.cost_before, it.cost_after) == (11, 0, 0)
    assert [(row.model, row.elsewhere, row.cost_before, row.cost_after) for row in it.models] == [
        ("one", 1.0, 1000, None)
    ]
