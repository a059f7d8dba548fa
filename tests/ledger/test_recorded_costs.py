"""Every usage that a provider sent in tests/recorded, priced by hand: raw numbers times published prices.

The arithmetic here is that of the providers' own pages, written once more for each format, in whole numbers. It shares
nothing with the gateway's: neither its reading of usage, nor its table, nor its classes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gaiarouter.canonical.usage import Usage
from gaiarouter.config.settings import Provider
from gaiarouter.dialects.base import StreamWatcher
from gaiarouter.dialects.chat.chunks import ChatStreamWatcher
from gaiarouter.dialects.chat.response import read_answer as read_chat
from gaiarouter.dialects.gemini.response import read_answer as read_gemini
from gaiarouter.dialects.gemini.watcher import GeminiStreamWatcher
from gaiarouter.dialects.messages.response import read_answer as read_messages
from gaiarouter.dialects.messages.watcher import MessagesStreamWatcher
from gaiarouter.dialects.responses.chunks import ResponsesStreamWatcher
from gaiarouter.dialects.responses.response import read_answer as read_responses
from gaiarouter.errors import UpstreamError
from gaiarouter.ledger.pricing import Pricing, cost_nano
from gaiarouter.providers.prices import Prices, PriceTable
from tests.ledger.published import PUBLISHED, Rates
from tests.recorded import Interaction, interactions

TABLE = PriceTable.load()
Raw = dict[str, Any]


def chat(raw: Raw, rates: Rates) -> int:
    """The prompt's count includes what was cached and what is sound; so does the answer's, and thinking too, but for
    servers whose total shows that they count it beside."""
    told = raw.get("prompt_tokens_details") or {}
    spoken = raw.get("completion_tokens_details") or {}
    prompt, completion = raw["prompt_tokens"], raw["completion_tokens"]
    hit = [told.get("cached_tokens"), raw.get("prompt_cache_hit_tokens"), raw.get("num_cached_tokens")]
    read = next((count for count in hit if count is not None), 0)
    write, sound = told.get("cache_write_tokens") or 0, told.get("audio_tokens") or 0
    reasoning, said = spoken.get("reasoning_tokens") or 0, spoken.get("audio_tokens") or 0
    if reasoning > completion or raw.get("total_tokens") == prompt + completion + reasoning:
        completion += reasoning
    return (
        (prompt - read - write - sound) * rates.input
        + read * rates.read
        + write * rates.write
        + sound * rates.in_audio
        + (completion - said) * rates.output
        + said * rates.out_audio
    )


def responses(raw: Raw, rates: Rates) -> int:
    told = raw.get("input_tokens_details") or {}
    spoken = raw.get("output_tokens_details") or {}
    given, output = raw["input_tokens"], raw["output_tokens"]
    read, write = told.get("cached_tokens") or 0, told.get("cache_write_tokens") or 0
    reasoning = spoken.get("reasoning_tokens") or 0
    if reasoning > output or (reasoning and raw.get("total_tokens") == given + output + reasoning):
        output += reasoning
    return (given - read - write) * rates.input + read * rates.read + write * rates.write + output * rates.output


def messages(raw: Raw, rates: Rates) -> int:
    """Counts do not include each other. A search costs a cent."""
    written = raw.get("cache_creation_input_tokens") or 0
    hour = (raw.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    searches = (raw.get("server_tool_use") or {}).get("web_search_requests") or 0
    return (
        raw["input_tokens"] * rates.input
        + (raw.get("cache_read_input_tokens") or 0) * rates.read
        + (written - hour) * rates.write
        + hour * rates.write_1h
        + raw["output_tokens"] * rates.output
        + searches * 10_000_000_000
    )


def gemini(raw: Raw, rates: Rates) -> int:
    """The prompt's count includes what was cached, not what tools brought; the answer's does not include thinking."""
    prompt, read = raw.get("promptTokenCount") or 0, raw.get("cachedContentTokenCount") or 0
    sound, read_sound = _sound(raw.get("promptTokensDetails")), _sound(raw.get("cacheTokensDetails"))
    fresh_sound = sound - read_sound
    return (
        (prompt - read - fresh_sound + (raw.get("toolUsePromptTokenCount") or 0)) * rates.input
        + fresh_sound * rates.in_audio
        + (read - read_sound) * rates.read
        + read_sound * rates.read_audio
        + ((raw.get("candidatesTokenCount") or 0) + (raw.get("thoughtsTokenCount") or 0)) * rates.output
    )


def _sound(details: list[Raw] | None) -> int:
    return sum(each.get("tokenCount", 0) for each in details or () if each["modality"] == "AUDIO")


FORMATS: dict[str, tuple[Callable[[Raw, Rates], int], Callable[[bytes], Any], Callable[[], StreamWatcher]]] = {
    "chat": (chat, read_chat, lambda: ChatStreamWatcher(drop_usage=False)),
    "responses": (responses, read_responses, ResponsesStreamWatcher),
    "messages": (messages, read_messages, MessagesStreamWatcher),
    "generate": (gemini, read_gemini, GeminiStreamWatcher),
}
ELSEWHERE = ("bedrock", "cohere", "ollama", "openai_compatible", "huggingface")
"""Whose models nobody sells under that name, or who speak another format."""


def told(each: Interaction) -> Raw | None:
    """The usage as it stands in the answer: of a stream what was told last, member by member."""
    member = "usageMetadata" if each.endpoint == "generate" else "usage"
    if isinstance(each.answer, dict):
        found = each.answer.get(member)
        return {**found, "tier": each.answer.get("service_tier")} if found else None
    merged: Raw = {}
    for event in _events(each.body):
        for holder in (event, event.get("response"), event.get("message"), event.get("x_groq")):
            if isinstance(holder, dict) and isinstance(holder.get(member), dict):
                merged |= {name: value for name, value in holder[member].items() if value is not None}
                merged["tier"] = holder.get("service_tier")
    return merged or None


def _events(body: bytes) -> Iterator[Raw]:
    text = body.decode()
    if text.lstrip().startswith("["):
        yield from json.loads(text)
        return
    for line in re.split(r"\r\n|\r|\n", text):
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data.startswith("{"):
            yield json.loads(data)


def read(each: Interaction) -> Usage | None:
    """The gateway's reading of the same answer."""
    _, read_answer, watcher_of = FORMATS[each.endpoint]
    if isinstance(each.answer, dict):
        usage = read_answer(each.body).usage
        assert usage is None or isinstance(usage, Usage)
        return usage
    watcher = watcher_of()
    watcher.feed(each.body)
    watcher.close()
    return watcher.usage


def model_of(each: Interaction) -> str:
    found = re.search(r"models/([^:/?]+)", each.url_path) if each.provider in ("google", "vertex") else None
    return found[1] if found else str(each.request.get("model"))


def known() -> Iterator[tuple[Interaction, Raw]]:
    for each in interactions(ok=True):
        if each.endpoint in FORMATS and each.provider not in ELSEWHERE and (raw := told(each)):
            if each.endpoint == "generate" and isinstance(each.answer, str) and each.answer.lstrip().startswith("["):
                continue  # an array: the gateway asks for events
            yield each, raw


def rates_of(each: Interaction, raw: Raw) -> Rates | None:
    model, tier = model_of(each), raw.get("tier")
    if tier in ("flex", "priority"):
        return PUBLISHED.get((each.provider, model, tier))
    return PUBLISHED.get((each.provider, model))


CASES = [(each, raw) for each, raw in known() if each.provider != "openrouter"]


def test_there_are_many_of_every_format() -> None:
    found = Counter(each.endpoint for each, _ in CASES)
    assert {name: count > 200 for name, count in found.items()} == dict.fromkeys(FORMATS, True)


@pytest.mark.parametrize("provider", sorted({each.provider for each, _ in CASES}))
def test_every_recorded_usage_costs_what_the_published_prices_make_of_it(provider: str) -> None:
    wrong = []
    for each, raw in CASES:
        if each.provider != provider:
            continue
        try:
            usage = read(each)
        except UpstreamError:
            continue  # an answer that the gateway does not take for one is not billed
        rates = rates_of(each, raw)
        by_hand = None if rates is None else (FORMATS[each.endpoint][0](raw, rates) + 500) // 1000
        ours = cost_nano(usage, TABLE.find(provider, model_of(each))) if usage else 0
        if ours != (by_hand or (None if rates is None else 0)):
            wrong.append((each, model_of(each), raw, ours, by_hand))
    assert wrong == []


def test_a_provider_that_tells_what_it_charges_is_believed() -> None:
    pricing = Pricing(Prices(TABLE, {"openrouter": Provider("openrouter", "openrouter")}))
    checked = 0
    for each, raw in known():
        if each.provider == "openrouter" and each.endpoint == "chat" and isinstance(raw.get("cost"), int | float):
            usage = read(each)
            assert usage is not None
            assert pricing("openrouter", model_of(each), usage) == round(raw["cost"] * 10**9)
            checked += 1
    assert checked > 100
