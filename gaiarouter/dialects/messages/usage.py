"""The `usage` member of the Messages format, in both directions. Arithmetic: docs/metering.md.

Input counts are exclusive here: `input_tokens` holds neither what was read from a cache nor what was written to it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import CacheWrites, ToldCount, Usage
from gaiarouter.dialects.sifting import UNREADABLE, sifted


class _CacheCreation(Struct, gc=False):
    ephemeral_5m_input_tokens: ToldCount = None
    ephemeral_1h_input_tokens: ToldCount = None


class _OutputDetails(Struct, gc=False):
    thinking_tokens: ToldCount = None


class _Usage(Struct, gc=False):
    input_tokens: ToldCount = None
    cache_creation_input_tokens: ToldCount = None
    cache_read_input_tokens: ToldCount = None
    output_tokens: ToldCount = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: dict[str, ToldCount] | None = None
    service_tier: str | None = None


_VITAL: Final = frozenset({"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"})
_decode_counts = msgspec.json.Decoder(_Usage).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def read_usage(raw: Raw) -> Usage | None:
    """Of a whole answer. None where there is none: a prompt of no tokens is a placeholder. REJECTED where it is none to
    believe; a detail that cannot be read is left out."""
    try:
        return _usage(_decode_counts(raw), bytes(raw))
    except UNREADABLE:
        return sifted(bytes(raw), _decode_counts, _VITAL, read_usage)


class UsageTotals:
    """The counts of one answer. Those of a stream are totals that are told more than once: a member that comes again
    replaces the earlier one, a member that does not leaves it."""

    def __init__(self) -> None:
        self._members: dict[str, Raw] = {}

    def take(self, raw: Raw) -> Usage | None:
        """The usage so far; None and REJECTED as of `read_usage`. A count that cannot be read holds until it is told
        again."""
        try:
            told = _decode_members(raw)
        except UNREADABLE:
            return read_usage(raw)
        self._members |= {name: value for name, value in told.items() if bytes(value) != b"null"}
        body = msgspec.json.encode(self._members)
        return read_usage(Raw(body))


def _usage(counts: _Usage, raw: bytes) -> Usage | None:
    output = counts.output_tokens or 0
    details = counts.output_tokens_details
    reasoning = min(details.thinking_tokens or 0, output) if details else 0
    writes, split = counts.cache_creation_input_tokens, counts.cache_creation
    for_5m = split.ephemeral_5m_input_tokens if split else None
    for_1h = split.ephemeral_1h_input_tokens if split else None
    told = counts.server_tool_use
    requests = {name: count for name, count in told.items() if count} if told else None
    given, read = counts.input_tokens or 0, counts.cache_read_input_tokens or 0
    written = (for_5m or 0) + (for_1h or 0) if writes is None else writes
    if not (given or read or written or output):
        return None
    return Usage(
        in_uncached=given,
        in_cache_read=read,
        in_cache_write=written,
        out_visible=output - reasoning,
        out_reasoning=reasoning,
        cache_writes=CacheWrites(for_5m=for_5m, for_1h=for_1h) if split else None,
        tool_requests=requests or None,
        tier=counts.service_tier,
        raw=raw,
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    """The `usage` object."""
    written: dict[str, Any] = {
        "input_tokens": usage.in_uncached + usage.in_tool,
        "cache_creation_input_tokens": usage.in_cache_write,
        "cache_read_input_tokens": usage.in_cache_read,
        "output_tokens": usage.output_tokens,
    }
    if usage.cache_writes is not None:
        long = (usage.cache_writes.for_30m, usage.cache_writes.for_1h, usage.cache_writes.for_12h)
        written["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_writes.for_5m or 0,
            "ephemeral_1h_input_tokens": sum(count or 0 for count in long),
        }
    if usage.out_reasoning:
        written["output_tokens_details"] = {"thinking_tokens": usage.out_reasoning}
    if usage.tool_requests:
        written["server_tool_use"] = dict(usage.tool_requests)
    if usage.tier:
        written["service_tier"] = usage.tier
    return written
