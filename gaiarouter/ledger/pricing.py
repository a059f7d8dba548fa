"""What an answer cost: whole-number arithmetic over the classes of its usage. Rules: docs/metering.md.

Every token is priced once, by its narrowest class that has a price. A class that has none, nor is a part of one that
has, makes the answer unpriced: None, which is not 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gaiarouter.canonical.usage import CacheWrites, Modalities, Usage
from gaiarouter.providers.prices import ModelPrice, Prices

_PICO_IN_NANO: Final = 1_000
_WITHOUT_CHARGE: Final = frozenset({"web_fetch"})
_SUFFIX: Final = "_requests"


class Pricing:
    """What an answer of a provider's model cost. See cost_nano; a provider that tells what it charges is believed."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    def __call__(self, provider: str, model: str, usage: Usage) -> int | None:
        if usage.charged_nano is not None and self._prices.tells_cost(provider, model):
            return usage.charged_nano
        return cost_nano(usage, self._prices.find(provider, model))

    def most(self, targets: Iterable[tuple[str, str]], *, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars that a request may cost at whichever of these targets, by provider and model, answers it: all of
        it of the dearest class, such as written to a cache, sound, pictures. Those without a price count as nothing:
        what they cost nobody will know afterwards either. Nothing of what is billed by the piece is in it."""
        prices = (self._prices.find(provider, model) for provider, model in targets)
        return max(
            (_bound(price, input_tokens, output_tokens) for price in prices if price is not None),
            default=0,
        )


def _bound(price: ModelPrice, input_tokens: int, output_tokens: int) -> int:
    price = price.of_request(input_tokens, None)
    given = (price.input, price.cache_write, price.cache_write_1h, price.input_audio, price.input_image)
    said = (price.output, price.reasoning, price.output_audio, price.output_image)
    pico = input_tokens * max(each or 0 for each in given) + output_tokens * max(each or 0 for each in said)
    return -(-pico // _PICO_IN_NANO)


def cost_nano(usage: Usage, price: ModelPrice | None) -> int | None:
    """Nano-dollars, a half rounded up; None is unpriced, as is a usage that tells of nothing, or of nothing but what is
    billed by the piece, which a guess at its tokens is no measure of."""
    if price is None:
        return None
    if usage.units and price.pieces:
        return _nano(_of_pieces(usage, usage.units, price))
    if not (usage.total_tokens or usage.tool_requests) or (usage.estimated and usage.units):
        return None
    if price.above or price.tiers:
        price = price.of_request(usage.input_tokens, usage.tier)
    return _nano(_of_text(usage, price) if _is_text(usage) else _of_all(usage, price))


def _nano(pico: int | None) -> int | None:
    return None if pico is None else (pico + _PICO_IN_NANO // 2) // _PICO_IN_NANO


def _of_pieces(usage: Usage, units: Mapping[str, float], price: ModelPrice) -> int | None:
    """Pieces, to the thousandth of one, and beside them tokens that the provider has counted."""
    tokens = 0 if usage.estimated else _of_all(usage, price)
    if tokens is None or not units.keys() <= price.pieces.keys():
        return None
    return tokens + sum(round(count * 1000) * price.pieces[name] // 1000 for name, count in units.items())


def _is_text(usage: Usage) -> bool:
    return usage.modalities is None and usage.cache_writes is None and not usage.tool_requests


def _of_text(usage: Usage, price: ModelPrice) -> int | None:
    """As _of_all, for the usual answer: nearly every request ends here, so it is written without detours."""
    fresh, output = price.input, price.output
    if fresh is None or output is None:
        return _of_all(usage, price)
    pico = (usage.in_uncached + usage.in_tool) * fresh + usage.out_visible * output
    if usage.in_cache_read:
        pico += usage.in_cache_read * (fresh if price.cache_read is None else price.cache_read)
    if usage.in_cache_write:
        pico += usage.in_cache_write * (fresh if price.cache_write is None else price.cache_write)
    if usage.out_reasoning:
        pico += usage.out_reasoning * (output if price.reasoning is None else price.reasoning)
    return pico


def _of_all(usage: Usage, price: ModelPrice) -> int | None:
    given, output, tools = _input(usage, price), _output(usage, price), _tools(usage, price)
    return None if given is None or output is None or tools is None else given + output + tools


def _input(usage: Usage, price: ModelPrice) -> int | None:
    told = usage.modalities or Modalities()
    # where the provider does not say how what came from a cache divides, sound counts as fresh as far as there is room
    cached_audio = min(told.cached_audio or 0, usage.in_cache_read)
    audio = min(max(0, (told.in_audio or 0) - cached_audio), usage.in_uncached)
    image = min(told.in_image or 0, usage.in_uncached - audio)
    long = min(_long_writes(usage.cache_writes), usage.in_cache_write)
    return _sum(
        (usage.in_uncached - audio - image + usage.in_tool, price.input),
        (audio, _first(price.input_audio, price.input)),
        (image, _first(price.input_image, price.input)),
        (usage.in_cache_read - cached_audio, _first(price.cache_read, price.input)),
        (cached_audio, _first(price.cache_read_audio, price.cache_read, price.input)),
        (usage.in_cache_write - long, _first(price.cache_write, price.input)),
        (long, _first(price.cache_write_1h, price.cache_write, price.input)),
    )


def _output(usage: Usage, price: ModelPrice) -> int | None:
    told = usage.modalities or Modalities()
    audio = min(told.out_audio or 0, usage.out_visible)
    image = min(told.out_image or 0, usage.out_visible - audio)
    return _sum(
        (usage.out_visible - audio - image, price.output),
        (audio, _first(price.output_audio, price.output)),
        (image, _first(price.output_image, price.output)),
        (usage.out_reasoning, _first(price.reasoning, price.output)),
    )


def _tools(usage: Usage, price: ModelPrice) -> int | None:
    names = {name.removesuffix(_SUFFIX): count for name, count in (usage.tool_requests or {}).items()}
    return _sum(*((count, price.tools.get(name)) for name, count in names.items() if name not in _WITHOUT_CHARGE))


def _long_writes(writes: CacheWrites | None) -> int:
    """Written for an hour or more; half an hour costs what five minutes do."""
    return (writes.for_1h or 0) + (writes.for_12h or 0) if writes else 0


def _sum(*parts: tuple[int, int | None]) -> int | None:
    total = 0
    for count, each in parts:
        if count:
            if each is None:
                return None
            total += count * each
    return total


def _first(*prices: int | None) -> int | None:
    return next((price for price in prices if price is not None), None)
