"""What models cost: the table that ships with the package, and what the configuration says instead.

.ci/update_prices.py makes the table. A model is found by its exact name, or by one that the table allows a snapshot's
date behind; never by a likeness. What is not found has no price, which is not a price of 0.
Amounts are pico-dollars a token (a micro-dollar for a million of them), or a use of a tool: whole numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Final

from gaiarouter.config.settings import Provider
from gaiarouter.providers import PROFILES

_SNAPSHOT: Final = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2})$")
_PICO_A_TOKEN: Final = 1_000_000
_PICO_A_USE: Final = 1_000_000_000
_TOOLS: Final = ("web_search",)
_PICO: Final = 1_000_000_000_000
_PIECES: Final = {
    "per_image": ("images", 1),
    "per_audio_minute": ("audio_seconds", 60),
    "per_million_characters": ("characters", 1_000_000),
    "per_thousand_searches": ("search_units", 1_000),
}
"""By its name in a price: the unit of a usage, and how many of them the amount is for."""


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Prices by class of tokens; None is as the class that it is a part of (docs/metering.md).

    tools: for each use, by the tool's name. pieces: for each, by the unit that a usage counts it in. above: what
    replaces all of this for a whole request whose input is longer than so many tokens, in rising order. tiers: what
    replaces it for answers that the provider served from that tier.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    cache_read_audio: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    input_image: int | None = None
    output_image: int | None = None
    tools: Mapping[str, int] = field(default_factory=dict)
    pieces: Mapping[str, int] = field(default_factory=dict)
    above: tuple[tuple[int, ModelPrice], ...] = ()
    tiers: Mapping[str, ModelPrice] = field(default_factory=dict)

    def of_request(self, input_tokens: int, tier: str | None) -> ModelPrice:
        """The one that holds for an answer of that size and tier."""
        price = self.tiers.get(tier, self) if tier else self
        for start, dearer in price.above:
            if input_tokens > start:
                price = dearer
        return price


FREE: Final = ModelPrice(input=0, output=0)


class PriceTable:
    """version: the day that it was made. entries: by kind of provider, as prices.json has them."""

    def __init__(self, version: str, entries: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.version = version
        self._exact: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._dated: dict[str, dict[str, Mapping[str, Any]]] = {}
        for kind, prices in entries.items():
            exact, dated = self._exact.setdefault(kind, {}), self._dated.setdefault(kind, {})
            for entry in prices:
                exact.update((name, entry) for name in entry.get("ids", ()))
                dated.update((name, entry) for name in entry.get("dated", ()))

    @classmethod
    @cache
    def load(cls) -> PriceTable:
        """The one that ships. It does not change while the process runs, so that a reload need not read it again."""
        text = files(__package__).joinpath("prices.json").read_text(encoding="utf-8")
        data = json.loads(text, parse_float=Decimal)
        return cls(data["version"], data["prices"])

    def find(self, kind: str, model: str) -> ModelPrice | None:
        exact, dated = self._exact.get(kind, {}), self._dated.get(kind, {})
        entry = exact.get(model) or dated.get(model) or dated.get(_SNAPSHOT.sub("", model))
        return None if entry is None else price_of(entry)


class Prices:
    """Prices by provider's name and the model's name there: the configuration's, else the table's.

    Found once and kept, also that there is none; `most_kept` bounds the names that callers choose.
    """

    def __init__(self, table: PriceTable, providers: Mapping[str, Provider], *, most_kept: int = 10_000) -> None:
        self._table = table
        self._providers = providers
        self._most_kept = most_kept
        self._found: dict[tuple[str, str], ModelPrice | None] = {}

    def find(self, provider: str, model: str) -> ModelPrice | None:
        """None is unpriced."""
        try:
            return self._found[provider, model]
        except KeyError:
            if len(self._found) >= self._most_kept:
                self._found.clear()
            price = self._found[provider, model] = self._look_up(self._providers[provider], model)
            return price

    def compared(self, provider: str, model: str) -> int | None:
        """One number by which targets are told dear from cheap: three tokens read for one written, as requests are on
        the whole. None is unpriced."""
        price = self.find(provider, model)
        if price is None or price.input is None:
            return None
        return 3 * price.input + (price.output or 0)

    def tells_cost(self, provider: str, model: str) -> bool:
        """Whether the provider's own word counts: it gives one, and the configuration says nothing else."""
        given = self._providers[provider]
        return PROFILES[given.kind].tells_cost and _configured(given, model) is None

    def _look_up(self, provider: Provider, model: str) -> ModelPrice | None:
        if (price := _configured(provider, model)) is not None:
            return price
        if PROFILES[provider.kind].transport != "http":
            return FREE
        return self._table.find(provider.kind, model)


def price_of(entry: Mapping[str, Any]) -> ModelPrice:
    """An entry of prices.json: dollars for a million tokens, or a thousand uses of a tool."""
    price = _classes(entry)
    return replace(
        price,
        above=_steps(price, entry),
        tiers={
            name: replace(_classes(tier, price), above=_steps(_classes(tier, price), tier))
            for name, tier in entry.get("tiers", {}).items()
        },
    )


def _steps(base: ModelPrice, entry: Mapping[str, Any]) -> tuple[tuple[int, ModelPrice], ...]:
    return tuple((int(start), _classes(changes, base)) for start, changes in entry.get("above", ()))


def _classes(entry: Mapping[str, Any], base: ModelPrice | None = None) -> ModelPrice:
    """What `entry` does not say stays as in `base`."""
    amounts: dict[str, Any] = {name: _pico(entry[name], _PICO_A_TOKEN) for name in TOKEN_CLASSES if name in entry}
    tools = {name: _pico(entry[name], _PICO_A_USE) for name in _TOOLS if name in entry}
    pieces = {unit: _pico(entry[name], _PICO) // many for name, (unit, many) in _PIECES.items() if name in entry}
    start = replace(base, above=(), tiers={}) if base else ModelPrice()
    return replace(start, tools={**start.tools, **tools}, pieces={**start.pieces, **pieces}, **amounts)


def _pico(amount: int | Decimal, unit: int) -> int:
    return int(amount * unit)


def _configured(provider: Provider, model: str) -> ModelPrice | None:
    for entry in provider.prices:
        if any(fnmatchcase(model, glob) for glob in entry.match):
            return price_of({name: Decimal(str(amount)) for name, amount in entry.dollars.items()})
    return None


TOKEN_CLASSES: Final = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "cache_read_audio",
    "reasoning",
    "input_audio",
    "output_audio",
    "input_image",
    "output_image",
)
