"""Callers' wishes about who answers: in which order targets are tried then, and which wish leaves nobody."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from msgspec import Raw

from gaiarouter.config.settings import Breaker, Provider, Settings
from gaiarouter.dialects.preferences import Preferences, read_preferences
from gaiarouter.errors import InvalidRequest
from gaiarouter.providers.prices import Prices, PriceTable
from gaiarouter.routing.base import Match
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.preferences import Preferring
from gaiarouter.routing.table import Table
from tests.routing.build import group, route

KINDS = {"main": "openai", "claude": "anthropic", "groq": "groq", "relay": "openrouter", "long": "mistral"}
ROUTES = (
    route(
        "m",
        "main/gpt-4o",
        fallbacks=[
            group("claude/claude-sonnet-4-5"),
            group("groq/llama-3.1-8b-instant"),
            group("relay/x"),
            group("long/y", on=("context_length",)),
        ],
    ),
    route("other", "claude/claude-haiku-4-5"),
    route("by-relay", "relay/anthropic/claude-haiku-4.5"),
    route("pair", "main/gpt-4o*99", "groq/llama-3.1-8b-instant*1"),
)


class Scene:
    def __init__(self) -> None:
        providers = {name: Provider(name, kind) for name, kind in KINDS.items()}
        self.table = Table(Settings(providers=providers, routes=ROUTES))
        self.health, self.now = Health(), 1000.0
        prices = Prices(PriceTable.load(), providers)
        self.preferring = Preferring(providers, {"relay"}, prices, health=self.health, rng=Random(7))
        self.providers = providers

    def match(self, model: str) -> Match:
        found = self.table.match(model)
        assert found is not None
        return found

    def order(self, provider: Any = None, *, models: list[str] | None = None, model: str = "m") -> list[str]:
        """The providers in the order they are tried; of each group with a condition, with it."""
        wishes = wishes_of(provider, models)
        matches = [self.match(name) for name in (model, *(models or ()))]
        found = self.preferring.of_several(matches, self.preferring.placed(wishes, matches), self.now)
        return [
            target.provider + (f" on {'+'.join(each.on)}" if each.on else "")
            for each in found.groups
            for target in each.targets
        ]

    def took(self, provider: str, seconds: float) -> None:
        target = next(t for each in self.match("m").groups for t in each.targets if t.provider == provider)
        flight = self.health.started(target, self.providers[provider], None, self.now, Breaker())
        self.health.succeeded(flight, self.now, seconds)


def wishes_of(provider: Any, models: list[str] | None = None) -> Preferences:
    found = read_preferences(
        Raw(json.dumps(models).encode()) if models is not None else None,
        Raw(json.dumps(provider).encode()) if provider is not None else None,
    )
    assert found is not None
    return found


ALL = ["main", "claude", "groq", "relay", "long on context_length"]


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({}, ALL),
        ({"order": ["groq"]}, ["groq", "main", "claude", "relay", "long on context_length"]),
        ({"order": ["Anthropic", "openai"]}, ["claude", "main", "groq", "relay", "long on context_length"]),
        ({"order": ["groq", "claude"], "allow_fallbacks": False}, ["groq", "claude"]),
        ({"order": ["deepinfra"]}, ["relay", "main", "claude", "groq", "long on context_length"]),
        ({"order": ["nobody", "groq"], "allow_fallbacks": False}, ["relay", "groq"]),
        ({"only": ["claude", "main"]}, ["main", "claude"]),
        ({"only": ["mistral", "GROQ"]}, ["groq", "long on context_length"]),
        ({"only": ["deepinfra"]}, ["relay"]),
        ({"ignore": ["openai", "relay"]}, ["claude", "groq", "long on context_length"]),
        ({"allow_fallbacks": False}, ["main"]),
        ({"allow_fallbacks": False, "ignore": ["main"]}, ["claude"]),
        ({"sort": "price"}, ["groq", "main", "claude", "relay", "long on context_length"]),
        ({"sort": {"by": "price"}, "allow_fallbacks": False}, ["groq"]),
        ({"sort": "latency"}, ALL),
        ({"sort": "throughput"}, ALL),
        ({"max_price": {"prompt": 1, "completion": "1"}}, ["groq", "relay"]),
        ({"max_price": {"prompt": 2.5}}, ["main", "groq", "relay"]),
        ({"data_collection": "deny"}, ["relay"]),
        ({"data_collection": "allow", "zdr": False}, ALL),
        ({"zdr": True, "only": ["relay", "main"]}, ["relay"]),
        ({"quantizations": ["fp8"]}, ["relay"]),
    ],
)
def test_order(provider: Any, expected: list[str]) -> None:
    assert Scene().order(provider) == expected


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ({"only": []}, "provider.only"),
        ({"only": ["openai"], "ignore": ["main"]}, "provider.ignore"),
        ({"only": ["main"], "max_price": {"prompt": 0.01}}, "provider.max_price"),
        ({"only": ["main"], "zdr": True}, "provider.zdr"),
        ({"only": ["main"], "order": ["groq"], "allow_fallbacks": False}, "provider.order"),
    ],
)
def test_the_wish_that_leaves_nobody_is_named(provider: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Scene().order(provider)
    assert (caught.value.param, caught.value.code) == (path, "no_matching_provider")


def test_the_quickest_comes_first_and_who_was_not_measured_stays_behind_in_the_order_of_the_table() -> None:
    scene = Scene()
    scene.took("groq", 0.2)
    scene.took("claude", 0.5)
    assert scene.order({"sort": "latency"}) == ["groq", "claude", "main", "relay", "long on context_length"]


def test_of_targets_that_share_the_traffic_one_is_drawn_where_no_other_may_follow() -> None:
    scene = Scene()
    drawn = [scene.order({"allow_fallbacks": False}, model="pair") for _ in range(50)]
    assert all(len(order) == 1 for order in drawn)
    assert sum(order == ["main"] for order in drawn) > 40


def test_models_of_the_callers_follow_also_where_the_first_cannot_take_the_request() -> None:
    scene = Scene()
    both = "context_length+content_policy"
    assert scene.order(models=["other"], model="pair") == ["main", "groq", "claude", f"claude on {both}"]


def test_a_wish_that_the_first_model_cannot_keep_may_be_kept_by_the_next() -> None:
    assert Scene().order({"only": ["anthropic"]}, models=["other"], model="pair")[0] == "claude"


def test_wishes_change_nothing_of_the_table() -> None:
    scene = Scene()
    before = scene.match("m")
    scene.order({"order": ["groq"], "ignore": ["main"]}, models=["other"])
    assert scene.match("m") == before


def test_a_provider_of_ours_that_is_not_in_the_route_is_the_relays_to_know() -> None:
    scene = Scene()
    wishes = scene.preferring.placed(wishes_of({"only": ["anthropic"]}), [scene.match("by-relay")])
    found = scene.preferring.of_several([scene.match("by-relay")], wishes, scene.now)
    assert [target.provider for each in found.groups for target in each.targets] == ["relay"]
    assert json.loads(wishes.passed_on() or b"null") == {"only": ["anthropic"]}


def test_what_is_told_to_a_relay_is_what_does_not_mean_us() -> None:
    scene = Scene()
    matches = [scene.match("m")]
    said = {"order": ["deepinfra/turbo", "Groq"], "only": ["main"], "sort": "price", "zdr": True}
    told = scene.preferring.placed(wishes_of(said), matches).passed_on()
    assert told is not None
    assert json.loads(told) == {"order": ["deepinfra/turbo"], "sort": "price", "zdr": True}
    assert scene.preferring.placed(wishes_of({"only": ["relay"]}), matches).passed_on() is None
    assert scene.preferring.placed(wishes_of(None, ["other"]), matches).passed_on() is None


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("models", "gpt", "models"),
        ("models", [1], "models[0]"),
        ("models", ["a"] * 17, "models"),
        ("provider", [], "provider"),
        ("provider", {"ordr": []}, "provider.ordr"),
        ("provider", {"order": "groq"}, "provider.order"),
        ("provider", {"order": [""]}, "provider.order[0]"),
        ("provider", {"only": [3]}, "provider.only[0]"),
        ("provider", {"sort": "cheap"}, "provider.sort"),
        ("provider", {"allow_fallbacks": "no"}, "provider.allow_fallbacks"),
        ("provider", {"max_price": {"prompt": -1}}, "provider.max_price.prompt"),
        ("provider", {"max_price": {"prompt": "a lot"}}, "provider.max_price.prompt"),
        ("provider", {"max_price": {"tokens": 1}}, "provider.max_price.tokens"),
        ("provider", {"data_collection": "maybe"}, "provider.data_collection"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(member: str, value: Any, path: str) -> None:
    raw = Raw(json.dumps(value).encode())
    with pytest.raises(InvalidRequest) as caught:
        read_preferences(raw if member == "models" else None, raw if member == "provider" else None)
    assert caught.value.param == path
    assert f"`{path}`" in caught.value.message


@pytest.mark.parametrize("models", [None, Raw(b"null"), Raw(b"[]")])
@pytest.mark.parametrize("provider", [None, Raw(b"null")])
def test_nothing_said_is_no_wish(models: Raw | None, provider: Raw | None) -> None:
    assert read_preferences(models, provider) is None
