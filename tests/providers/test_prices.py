"""The table that ships, how a model is found in it, and what the configuration says instead."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from gaiarouter.config.settings import ModelPrices, Provider
from gaiarouter.providers import PROFILES
from gaiarouter.providers.prices import FREE, TOKEN_CLASSES, ModelPrice, Prices, PriceTable

TABLE = PriceTable.load()


def shipped() -> dict[str, Any]:
    text = files("gaiarouter.providers").joinpath("prices.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return data


def test_the_table_says_where_it_is_from_and_of_when() -> None:
    data = shipped()
    assert "MIT" in data["notice"]
    assert data["version"] == TABLE.version
    assert TABLE.version[:2] == "20"
    assert set(data["prices"]) <= set(PROFILES)


def test_it_is_read_once_however_often_the_configuration_is() -> None:
    assert PriceTable.load() is TABLE


def test_no_name_has_two_prices() -> None:
    for kind, entries in shipped()["prices"].items():
        names = [name for entry in entries for name in (*entry.get("ids", ()), *entry.get("dated", ()))]
        assert len(names) == len(set(names)), kind


def test_every_price_is_a_whole_number_of_pico_dollars() -> None:
    for entries in shipped()["prices"].values():
        for entry in entries:
            steps = [changes for _, changes in entry.get("above", ())]
            for amounts in (entry, *steps, *entry.get("tiers", {}).values()):
                for name in TOKEN_CLASSES:
                    assert amounts.get(name, 0) >= 0
                    assert amounts.get(name, 0) * 1_000_000 % 1 == 0, entry


@pytest.mark.parametrize(
    ("kind", "model", "dollars"),
    [
        ("openai", "gpt-4o", "2.5 10"),
        ("openai", "gpt-4o-2024-08-06", "2.5 10"),
        ("openai", "gpt-4o-2024-05-13", "5 15"),
        ("anthropic", "claude-sonnet-4-5", "3 15"),
        ("anthropic", "claude-sonnet-4-5-20250929", "3 15"),
        ("vertex", "claude-sonnet-4-5@20250929", "3 15"),
        ("google", "gemini-2.5-flash", "0.3 2.5"),
        ("google", "gemini-2.0-flash-001", "0.1 0.4"),
        ("deepseek", "deepseek-reasoner", "0.55 2.19"),
        ("openrouter", "openai/gpt-4o-mini", "0.15 0.6"),
    ],
)
def test_well_known_models_have_their_published_prices(kind: str, model: str, dollars: str) -> None:
    price = TABLE.find(kind, model)
    assert price is not None
    assert [price.input, price.output] == [int(Decimal(amount) * 1_000_000) for amount in dollars.split()]


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4o-turbo"),
        ("openai", "gpt-4o-2024-08-06-mine"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc"),
        ("openai", "GPT-4o"),
        ("openai", "whisper-1"),
        ("openai", ""),
        ("anthropic", "claude-sonnet-4-5-turbo"),
        ("anthropic", "claude-sonnet-4-5-2025"),
        ("vllm", "gpt-4o"),
        ("nobody", "gpt-4o"),
    ],
)
def test_what_only_looks_like_a_model_has_no_price(kind: str, model: str) -> None:
    assert TABLE.find(kind, model) is None


def test_steps_and_tiers_say_what_changes_and_keep_the_rest() -> None:
    price = TABLE.find("openai", "gpt-5.5")
    assert price is not None
    (start, long), flex = price.above[0], price.tiers["flex"]
    assert (start, long.input, long.cache_read, long.output) == (272_000, 10_000_000, 1_000_000, 45_000_000)
    assert (flex.input, flex.output, flex.tools) == (2_500_000, 15_000_000, price.tools)
    assert price.of_request(272_001, "flex").input == 5_000_000


def prices(**options: Any) -> Prices:
    return Prices(TABLE, {"p": Provider("p", "openai", **options)})


def test_the_configuration_comes_first_and_the_first_entry_that_matches_counts() -> None:
    own = (
        ModelPrices(("gpt-4o", "mine-*"), {"input": 0.1, "output": 0.00005}),
        ModelPrices(("*",), {"input": 7}),
    )
    found = prices(prices=own)
    assert found.find("p", "gpt-4o") == ModelPrice(input=100_000, output=50)
    assert found.find("p", "mine-1") == ModelPrice(input=100_000, output=50)
    assert found.find("p", "gpt-4.1") == ModelPrice(input=7_000_000)


def test_a_price_is_found_once_and_so_is_that_there_is_none() -> None:
    found = prices()
    assert found.find("p", "gpt-4o") is found.find("p", "gpt-4o")
    assert found.find("p", "nothing") is None
    assert found.find("p", "nothing") is None


def test_names_that_callers_choose_do_not_fill_the_memory() -> None:
    found = Prices(TABLE, {"p": Provider("p", "openai")}, most_kept=3)
    for number in range(10):
        assert found.find("p", f"x{number}") is None
    assert found.find("p", "gpt-4o") is not None


def test_what_answers_by_itself_is_free() -> None:
    assert Prices(TABLE, {"demo": Provider("demo", "echo")}).find("demo", "any") is FREE
