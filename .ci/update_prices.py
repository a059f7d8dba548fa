"""Writes gaiarouter/providers/prices.json from the data of the `genai-prices` package (MIT).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    /tmp/prices/bin/python .ci/update_prices.py

The package is needed here alone; it is no dependency of the gateway. It matches names loosely (`gpt-5.1-mini` gets the
price of another model); a bill must not. So an entry holds the very names that the source spells out (`ids`), and those
that may have a snapshot's date behind them (`dated`), where the source says that the price is the same. Look over the
difference before you commit it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "gaiarouter" / "providers" / "prices.json"

# kind of provider here: ((its id there, what the API puts before the id), ...)
SOURCES = {
    "openai": (("openai", ""),),
    "azure": (("azure", ""), ("openai", "")),
    "anthropic": (("anthropic", ""),),
    "google": (("google", ""),),
    "vertex": (("google", ""), ("anthropic", "")),
    "openrouter": (("openrouter", ""),),
    "groq": (("groq", ""),),
    "mistral": (("mistral", ""),),
    "deepseek": (("deepseek", ""),),
    "xai": (("x-ai", ""),),
    "together": (("together", ""),),
    "fireworks": (("fireworks", "accounts/fireworks/models/"),),
    "cerebras": (("cerebras", ""),),
    "perplexity": (("perplexity", ""),),
}
# name here: name there. Dollars per million tokens; `web_search` per thousand uses
CLASSES = {
    "input": "input_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "cache_read_audio": "cache_audio_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
    "input_image": "input_image_mtok",
    "output_image": "output_image_mtok",
    "web_search": "web_searches_kcount",
}
# names in use that the source knows by their beginning alone
IN_USE = ("claude-sonnet-4-20250514", "gemini-2.0-flash-exp", "gemini-3.1-flash-lite", "gemini-3.1-pro-preview")
# a price of these is charged beside the tokens, and nothing here counts what it is charged for
NOT_COUNTED = ("requests_kcount", "audio_hours", "input_audio_hours", "input_mchars", "output_citation_mtok")
SERVICE_TIERS = ("flex", "priority")
SNAPSHOTS = ("-20991231", "-2099-12-31")
NUMBERED = ("", "-001", "-002", "-latest")


def main() -> None:
    from genai_prices import data

    today = datetime.now(tz=UTC).date()
    providers = {provider.id: provider for provider in data.providers}
    tables: dict[str, list[dict[str, Any]]] = {
        kind: list(_entries([(providers[source], prefix) for source, prefix in sources], today))
        for kind, sources in SOURCES.items()
    }
    notice = f"From genai-prices {version('genai-prices')}, (c) Pydantic Services Inc., MIT licence."
    head = f'{{"notice": {json.dumps(notice)},\n"version": "{today}",\n"prices": {{\n'
    kinds = (f'"{kind}": [\n' + ",\n".join(map(_line, entries)) + "\n]" for kind, entries in sorted(tables.items()))
    TARGET.write_text(head + ",\n".join(kinds) + "\n}}\n", encoding="utf-8")
    print(f"{TARGET.name}: {sum(map(len, tables.values()))} prices, {TARGET.stat().st_size} bytes")


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, default=_number)


def _number(amount: Decimal) -> int | float:
    """To the millionth of a dollar, which the gateway counts in."""
    amount = round(amount, 6)
    return int(amount) if amount == int(amount) else float(amount)


def _entries(sources: list[tuple[Any, str]], today: date) -> Iterator[dict[str, Any]]:
    """The first source that knows a name counts."""
    taken: set[str] = set()
    for provider, prefix in sources:
        for model in provider.models:
            price = _price(model, today)
            ids, dated = _names(provider, model)
            ids, dated = [i for i in ids if i not in taken], [i for i in dated if i not in taken]
            if price is None:
                continue
            ids, dated = _with_sound(ids, price), _with_sound(dated, price)
            if not ids + dated:
                continue
            taken.update(ids, dated)
            entry = {"ids": [prefix + name for name in ids], "dated": [prefix + name for name in dated]}
            yield {name: names for name, names in entry.items() if names} | price


def _names(provider: Any, model: Any) -> tuple[list[str], list[str]]:
    """Names that the source's own look-up takes for this model; of those, the ones that a date may follow."""
    words = dict.fromkeys([model.id, *_spelled(model.match), *IN_USE])
    names = (word + number for word in words for number in NUMBERED if word[-1:].isalnum())
    mine = [name for name in dict.fromkeys(names) if provider.find_model(name) is model]
    dated = [
        name
        for name in mine
        if name in words and all(provider.find_model(name + snapshot) is model for snapshot in SNAPSHOTS)
    ]
    return [word for word in mine if word not in dated], dated


def _spelled(clause: Any) -> Iterator[str]:
    for attribute in ("equals", "starts_with"):
        if word := getattr(clause, attribute, None):
            yield word
    for part in getattr(clause, "or_", ()):
        yield from _spelled(part)
    for part in getattr(clause, "and_", ()):
        if getattr(part, "starts_with", None):
            yield part.starts_with


def _price(model: Any, today: date) -> dict[str, Any] | None:
    current = _current(model.prices, today)
    if current is None or any(getattr(current, name, None) for name in NOT_COUNTED):
        return None
    price = _classes(current)
    if "input" not in price:
        return None
    tiers = {
        variant.when["service_tier"]: _classes(variant.prices)
        for variant in model.price_variants or ()
        if variant.when.keys() == {"service_tier"}
        and variant.when["service_tier"] in SERVICE_TIERS
        and _is_past(variant.constraint, today)
    }
    return price | ({"tiers": tiers} if tiers else {})


def _current(prices: Any, today: date) -> Any:
    """The latest in force; of those that change with the hour, the dearest."""
    if not isinstance(prices, list):
        return prices
    hourly = [each for each in prices if each.constraint is None or getattr(each.constraint, "start_time", None)]
    past = [each for each in prices if each.constraint is not None and _is_past(each.constraint, today)]
    if past:
        return past[-1].prices
    return max((each.prices for each in hourly), key=lambda price: _base(price.input_mtok), default=None)


def _is_past(constraint: Any, today: date) -> bool:
    start = getattr(constraint, "start_date", None)
    return constraint is None or (start is not None and start <= today)


def _classes(price: Any) -> dict[str, Any]:
    """Amounts by class, and the steps: what the whole request costs when its input is longer than so many tokens."""
    found = {name: getattr(price, source) for name, source in CLASSES.items() if getattr(price, source) is not None}
    steps: dict[int, dict[str, Decimal]] = {}
    for name, amount in found.items():
        for tier in getattr(amount, "tiers", ()):
            steps.setdefault(tier.start, {})[name] = tier.price
    classes: dict[str, Any] = {name: _base(amount) for name, amount in found.items()}
    if steps:
        classes["above"] = [[start, steps[start]] for start in sorted(steps)]
    return classes


def _base(amount: Any) -> Decimal:
    return Decimal(getattr(amount, "base", amount) or 0)


def _with_sound(names: list[str], price: dict[str, Any]) -> list[str]:
    """Without models for sound, where the price does not say what sound costs: as text it would be wrong by far."""
    if "input_audio" in price:
        return names
    return [name for name in names if "audio" not in name and "realtime" not in name]


if __name__ == "__main__":
    main()
