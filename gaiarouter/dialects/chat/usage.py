"""The `usage` member of Chat, in both directions. Arithmetic: docs/metering.md."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import Modalities, ToldCount, Usage, priced_tier
from gaiarouter.dialects.sifting import UNREADABLE, sifted

_NOT_SENT = Raw(b"")
_VITAL: Final = frozenset({"prompt_tokens", "completion_tokens"})
_NANO = 1_000_000_000
_MOST_DOLLARS = 1_000_000.0


class _PromptDetails(Struct, gc=False):
    audio_tokens: ToldCount = None
    cached_tokens: ToldCount = None
    cache_write_tokens: ToldCount = None
    cache_creation_tokens: ToldCount = None


class _CompletionDetails(Struct, gc=False):
    audio_tokens: ToldCount = None
    reasoning_tokens: ToldCount = None


class _Usage(Struct, gc=False):
    prompt_tokens: ToldCount = None
    completion_tokens: ToldCount = None
    total_tokens: ToldCount = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: ToldCount = None
    num_cached_tokens: ToldCount = None
    cached_tokens: ToldCount = None
    cost: Raw = _NOT_SENT


_decode = msgspec.json.Decoder(_Usage).decode
_NOTHING_GIVEN: Final = _PromptDetails()
_NOTHING_MADE: Final = _CompletionDetails()


def read_usage(raw: Raw, tier: Raw = _NOT_SENT) -> Usage | None:
    """None where there is none, or all zero. REJECTED where it is none to believe: negative, NaN, text, beyond all
    windows; such a detail alone is left out.

    tier: the `service_tier` that stands beside it.
    """
    try:
        usage = _decode(raw)
    except UNREADABLE:
        return sifted(bytes(raw), _decode, _VITAL, partial(read_usage, tier=tier))
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    if prompt == completion == 0:
        return None  # a placeholder: no prompt is of no tokens
    given, made = usage.prompt_tokens_details or _NOTHING_GIVEN, usage.completion_tokens_details or _NOTHING_MADE
    read = min(_cache_read(usage, given), prompt)
    write = min(given.cache_write_tokens or given.cache_creation_tokens or 0, prompt - read)
    reasoning = made.reasoning_tokens or 0
    return Usage(
        in_uncached=prompt - read - write,
        in_cache_read=read,
        in_cache_write=write,
        out_visible=_visible(completion, reasoning, usage) if reasoning else completion,
        out_reasoning=reasoning,
        modalities=_sound(given, made),
        tier=priced_tier(bytes(tier)) if tier else None,
        charged_nano=_charged_nano(usage.cost) if usage.cost else None,
    )


def _charged_nano(cost: Raw) -> int | None:
    """Dollars as a number; an object, text or null is none, nor is less than nothing."""
    try:
        dollars = msgspec.json.decode(cost, type=float) if cost else -1.0
    except msgspec.DecodeError:
        return None
    return round(dollars * _NANO) if 0 <= dollars <= _MOST_DOLLARS else None


def _cache_read(usage: _Usage, given: _PromptDetails) -> int:
    if given.cached_tokens is not None:
        return given.cached_tokens
    if usage.prompt_cache_hit_tokens is not None:
        return usage.prompt_cache_hit_tokens
    return (usage.cached_tokens or 0) if usage.num_cached_tokens is None else usage.num_cached_tokens


def _sound(given: _PromptDetails, made: _CompletionDetails) -> Modalities | None:
    if given.audio_tokens or made.audio_tokens:
        return Modalities(in_audio=given.audio_tokens, out_audio=made.audio_tokens)
    return None


def _visible(completion: int, reasoning: int, usage: _Usage) -> int:
    """`completion_tokens` includes reasoning, save for servers (xAI, some gateways) that count it beside: the total
    gives them away, or reasoning that is larger than what should include it."""
    beside = usage.total_tokens == (usage.prompt_tokens or 0) + completion + reasoning or reasoning > completion
    return completion if beside else completion - reasoning


class _PromptTold(Struct, gc=False):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int = 0


class _CompletionTold(Struct, gc=False):
    reasoning_tokens: int
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class UsageObject(Struct, gc=False):
    """Chat's `usage` object."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _PromptTold
    completion_tokens_details: _CompletionTold


def write_usage(usage: Usage) -> UsageObject:
    prompt, completion = usage.input_tokens, usage.output_tokens
    return UsageObject(
        prompt,
        completion,
        prompt + completion,
        _PromptTold(usage.in_cache_read, usage.in_cache_write),
        _CompletionTold(usage.out_reasoning),
    )
