"""The `usage` member of a Response, in both directions. Arithmetic: docs/metering.md."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import CacheWrites, ToldCount, Usage, priced_tier
from gaiarouter.dialects.sifting import UNREADABLE, sifted


class _Writes(Struct, gc=False):
    ttl_30m_tokens: ToldCount = None
    ttl_12h_tokens: ToldCount = None


class _InputDetails(Struct, gc=False):
    cached_tokens: ToldCount = None
    cache_write_tokens: ToldCount = None
    cache_write_tokens_details: _Writes | None = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: ToldCount = None


class _Usage(Struct, gc=False):
    input_tokens: ToldCount = None
    output_tokens: ToldCount = None
    total_tokens: ToldCount = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


_VITAL: Final = frozenset({"input_tokens", "output_tokens"})
_decode = msgspec.json.Decoder(_Usage).decode


def read_usage(raw: Raw, tier: Raw) -> Usage | None:
    """None where there is none, or all zero. REJECTED where it is none to believe: negative, NaN, text, beyond all
    windows; such a detail alone is left out.

    tier: the `service_tier` of the Response that it stands in.
    """
    try:
        usage = _decode(raw)
    except UNREADABLE:
        return sifted(bytes(raw), _decode, _VITAL, partial(read_usage, tier=tier))
    given, output = usage.input_tokens or 0, usage.output_tokens or 0
    if given == output == 0:
        return None
    details = usage.input_tokens_details or _InputDetails()
    read = min(details.cached_tokens or 0, given)
    write = min(details.cache_write_tokens or 0, given - read)
    reasoning = (usage.output_tokens_details and usage.output_tokens_details.reasoning_tokens) or 0
    # some servers count it beside the output: the total gives them away
    beside = reasoning and (usage.total_tokens == given + output + reasoning or reasoning > output)
    return Usage(
        in_uncached=given - read - write,
        in_cache_read=read,
        in_cache_write=write,
        out_visible=output if beside else output - reasoning,
        out_reasoning=reasoning,
        cache_writes=_writes(details.cache_write_tokens_details),
        tier=priced_tier(bytes(tier)),
        raw=bytes(raw),
    )


def _writes(found: _Writes | None) -> CacheWrites | None:
    return CacheWrites(for_30m=found.ttl_30m_tokens, for_12h=found.ttl_12h_tokens) if found else None


def write_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.in_cache_read,
            "cache_write_tokens": usage.in_cache_write,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.out_reasoning},
        "total_tokens": usage.total_tokens,
    }
