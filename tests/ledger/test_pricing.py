"""Every token is priced once, by its narrowest class that has a price."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from gaiarouter.canonical.usage import CacheWrites, Modalities, Usage
from gaiarouter.config.settings import ModelPrices, Provider
from gaiarouter.ledger.pricing import Pricing, cost_nano
from gaiarouter.providers.prices import ModelPrice, Prices, PriceTable, price_of

MILLION = 1_000_000
DOLLAR = 1_000_000_000

# dollars a million: input 3, read 0.30, written 3.75, for an hour 6, output 15
CLAUDE = ModelPrice(
    input=3_000_000,
    cache_read=300_000,
    cache_write=3_750_000,
    cache_write_1h=6_000_000,
    output=15_000_000,
    tools={"web_search": 10_000_000_000},
)
BARE = ModelPrice(input=2_000_000, output=8_000_000)
# a dollar a million of input; 4 cents a picture, 0.6 a minute, 15 dollars a million characters, 2 a thousand searches
PIECES = price_of(
    {
        "input": Decimal(1),
        "per_image": Decimal("0.04"),
        "per_audio_minute": Decimal("0.006"),
        "per_million_characters": Decimal(15),
        "per_thousand_searches": Decimal(2),
    }
)


@dataclass(frozen=True)
class Case:
    name: str
    usage: Usage
    price: ModelPrice | None
    nano: int | None

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


CASES = [
    Case("pieces without tokens", Usage(in_uncached=3, estimated=True, units={"images": 1}), BARE, None),
    Case("pieces and their tokens", Usage(in_uncached=MILLION, units={"images": 1}), BARE, 2 * DOLLAR),
    Case("pieces with a price", Usage(in_uncached=3, estimated=True, units={"images": 3}), PIECES, 120_000_000),
    Case("seconds of sound", Usage(units={"audio_seconds": 12.5}), PIECES, 1_250_000),
    Case("characters", Usage(in_uncached=9, estimated=True, units={"characters": 200}), PIECES, 3_000_000),
    Case(
        "searches and counted tokens", Usage(in_uncached=MILLION, units={"search_units": 2}), PIECES, DOLLAR + 4_000_000
    ),
    Case("a piece of another kind", Usage(units={"pages": 1}), PIECES, None),
    Case("fresh input", Usage(in_uncached=MILLION), CLAUDE, 3 * DOLLAR),
    Case("read from a cache", Usage(in_cache_read=MILLION), CLAUDE, 300_000_000),
    Case("written to a cache", Usage(in_cache_write=MILLION), CLAUDE, 3_750_000_000),
    Case(
        "written for five minutes and for an hour",
        Usage(in_cache_write=MILLION, cache_writes=CacheWrites(for_5m=600_000, for_1h=400_000)),
        CLAUDE,
        600 * 3_750_000 + 400 * 6_000_000,
    ),
    Case(
        "written for twelve hours counts as long",
        Usage(in_cache_write=MILLION, cache_writes=CacheWrites(for_30m=MILLION - 1000, for_12h=1000)),
        CLAUDE,
        999 * 3_750_000 + 6_000_000,
    ),
    Case("what tools brought", Usage(in_tool=MILLION), CLAUDE, 3 * DOLLAR),
    Case("output", Usage(out_visible=MILLION), CLAUDE, 15 * DOLLAR),
    Case("thinking as output", Usage(out_reasoning=MILLION), CLAUDE, 15 * DOLLAR),
    Case("thinking apart", Usage(out_reasoning=MILLION), ModelPrice(output=1, reasoning=4 * MILLION), 4 * DOLLAR),
    Case("a cache without a price of its own", Usage(in_cache_read=10, in_cache_write=20), BARE, 30 * 2000),
    Case("searches", Usage(out_visible=1, tool_requests={"web_search_requests": 3}), CLAUDE, 30_015_000),
    Case("fetches are free", Usage(out_visible=1, tool_requests={"web_fetch_requests": 3}), CLAUDE, 15_000),
    Case("a tool without a price", Usage(out_visible=1, tool_requests={"web_search_requests": 1}), BARE, None),
    Case(
        "sound and pictures",
        Usage(
            in_uncached=100,
            out_visible=100,
            modalities=Modalities(in_audio=20, in_image=30, out_audio=40, out_image=10),
        ),
        ModelPrice(
            input=1_000, output=2_000, input_audio=3_000, input_image=5_000, output_audio=7_000, output_image=11_000
        ),
        50 + 20 * 3 + 30 * 5 + 50 * 2 + 40 * 7 + 10 * 11,
    ),
    Case(
        "sound that came from a cache",
        Usage(in_uncached=100, in_cache_read=50, modalities=Modalities(in_audio=60, cached_audio=40)),
        ModelPrice(input=1_000, cache_read=100, input_audio=3_000, cache_read_audio=500),
        80 + 1 + 20 * 3 + 20,
    ),
    Case(
        "more sound than there is input",
        Usage(in_uncached=10, modalities=Modalities(in_audio=25)),
        ModelPrice(input=1_000, input_audio=3_000),
        30,
    ),
    Case("half a nano-dollar is rounded up", Usage(in_uncached=1), ModelPrice(input=500), 1),
    Case("less than half is rounded down", Usage(in_uncached=1), ModelPrice(input=499), 0),
    Case("rounded once, not for each class", Usage(in_uncached=1, out_visible=1), ModelPrice(input=400, output=400), 1),
    Case("no price", Usage(in_uncached=1), None, None),
    Case("a class without a price", Usage(in_uncached=1, out_visible=1), ModelPrice(input=1), None),
    Case("a class without a price that was not used", Usage(in_uncached=1000), ModelPrice(input=1), 1),
    Case("a price of nothing", Usage(in_uncached=5), ModelPrice(input=0, output=0), 0),
    Case("a usage that tells of nothing", Usage(), CLAUDE, None),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_usage_costs(case: Case) -> None:
    assert cost_nano(case.usage, case.price) == case.nano


STEPPED = ModelPrice(
    input=1_000_000,
    output=2_000_000,
    above=((200_000, ModelPrice(input=3_000_000, output=5_000_000)), (500_000, ModelPrice(input=7_000_000, output=9))),
)


@pytest.mark.parametrize(
    ("read", "fresh", "nano"),
    [
        (100_000, 100_000, 200_000 * 1_000 + 10 * 2_000),
        (100_000, 100_001, 200_001 * 3_000 + 10 * 5_000),
        (0, 500_001, 500_001 * 7_000),
    ],
)
def test_a_long_input_makes_the_whole_request_dearer(read: int, fresh: int, nano: int) -> None:
    usage = Usage(in_uncached=fresh, in_cache_read=read, out_visible=10)
    assert cost_nano(usage, STEPPED) == nano


def test_a_tier_has_prices_of_its_own_and_an_unknown_one_the_usual() -> None:
    price = ModelPrice(input=2_000, tiers={"flex": ModelPrice(input=1_000), "priority": ModelPrice(input=4_000)})
    found = {tier: cost_nano(Usage(in_uncached=1, tier=tier), price) for tier in (None, "standard", "flex", "priority")}
    assert found == {None: 2, "standard": 2, "flex": 1, "priority": 4}


def test_the_configuration_is_believed_before_the_provider_and_the_provider_before_the_table() -> None:
    own = ModelPrices(match=("mine/*",), dollars={"input": 1.0, "output": 1.0})
    pricing = Pricing(Prices(PriceTable.load(), {"r": Provider("r", "openrouter", prices=(own,))}))
    told, untold = Usage(in_uncached=MILLION, charged_nano=123), Usage(in_uncached=MILLION)
    assert pricing("r", "openai/gpt-4o", told) == 123
    assert pricing("r", "openai/gpt-4o", untold) == 2_500_000_000
    assert pricing("r", "mine/x", told) == DOLLAR


def test_a_provider_that_need_not_tell_what_it_charges_is_not_asked() -> None:
    pricing = Pricing(Prices(PriceTable.load(), {"o": Provider("o", "openai")}))
    assert pricing("o", "gpt-4o", Usage(in_uncached=MILLION, charged_nano=1)) == 2_500_000_000


def test_what_may_be_spent_at_most_is_all_of_the_dearest_class() -> None:
    prices = {"input": 3.0, "cache_write": 3.75, "cache_write_1h": 6.0, "output": 15.0}
    sound = {"input": 2.5, "output": 10.0, "input_audio": 40.0, "output_audio": 80.0}
    provider = Provider("p", "openai", prices=(ModelPrices(("c",), prices), ModelPrices(("s",), sound)))
    most = Pricing(Prices(PriceTable("v", {}), {"p": provider})).most
    assert most([("p", "c")], input_tokens=1000, output_tokens=100) == 1000 * 6_000 + 100 * 15_000
    assert most([("p", "c"), ("p", "s")], input_tokens=1000, output_tokens=100) == 1000 * 40_000 + 100 * 80_000
    assert most([("p", "unknown")], input_tokens=1000, output_tokens=100) == 0
