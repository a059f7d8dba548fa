"""Tokens as exclusive buckets: no token is in two of them. Arithmetic and sources: docs/metering.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Final

from msgspec import Meta, Struct, structs

ToldCount = Annotated[int, Meta(ge=0, le=1_000_000_000)] | None
"""Tokens as a provider tells them. No window comes near the bound: a number beyond is a defect, and must not be
billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheWrites:
    """How long what was written to a cache stays there, by tokens; None where the provider does not say."""

    for_5m: int | None = None
    for_30m: int | None = None
    for_1h: int | None = None
    for_12h: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Modalities:
    """Of the tokens counted elsewhere, those that are not text; None where the provider does not say. cached_audio: of
    `in_audio`, what was read from a cache."""

    in_audio: int | None = None
    cached_audio: int | None = None
    in_image: int | None = None
    out_audio: int | None = None
    out_image: int | None = None


class Usage(Struct, frozen=True, eq=False):
    """Token counts of one answer.

    in_uncached + in_cache_read + in_cache_write + in_tool is the whole input; out_visible + out_reasoning the
    whole output. `estimated`: counted here, because the provider sent none. `rejected`: of what the provider sent
    something was not believed; nothing, where that is `estimated` too.

    What follows is told beside the counts: how `in_cache_write` divides, which tokens are no text, how often the
    provider ran tools of its own, the tier it served from, what is billed by the piece (`images`, `audio_seconds`,
    `characters`, `search_units`); and, no part of a usage's identity, its own object and what it says that it charges,
    in nano-dollars.
    """

    in_uncached: int = 0
    in_cache_read: int = 0
    in_cache_write: int = 0
    in_tool: int = 0
    out_visible: int = 0
    out_reasoning: int = 0
    estimated: bool = False
    rejected: bool = False
    cache_writes: CacheWrites | None = None
    modalities: Modalities | None = None
    tool_requests: Mapping[str, int] | None = None
    tier: str | None = None
    units: Mapping[str, float] | None = None
    raw: bytes | None = None
    charged_nano: int | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Usage):
            return NotImplemented
        return _identity(self) == _identity(other)

    __hash__ = None  # type: ignore[assignment]  # it holds mappings

    @property
    def input_tokens(self) -> int:
        return self.in_uncached + self.in_cache_read + self.in_cache_write + self.in_tool

    @property
    def output_tokens(self) -> int:
        return self.out_visible + self.out_reasoning

    @property
    def total_tokens(self) -> int:
        given = self.in_uncached + self.in_cache_read + self.in_cache_write + self.in_tool
        return given + self.out_visible + self.out_reasoning


REJECTED: Final = Usage(rejected=True)
"""Stands, by identity, for a usage that was told and of which nothing is to be believed."""


def believed(told: Usage | None) -> Usage | None:
    return None if told is REJECTED else told


def later(before: Usage | None, told: Usage | None) -> Usage | None:
    """Of totals that are told more than once: `told`, unless it says nothing that could be believed."""
    if told is None:
        return before
    if told is REJECTED and before is not None:
        return before if before.rejected else structs.replace(before, rejected=True)
    return told


def counted(told: Usage | None, estimate: Usage) -> Usage:
    """What was told, or else `estimate`."""
    if told is None:
        return estimate
    return structs.replace(estimate, rejected=True) if told is REJECTED else told


_identity = attrgetter(*(name for name in Usage.__struct_fields__ if name not in ("raw", "charged_nano")))


def priced_tier(raw: bytes) -> str | None:
    """A `service_tier` in JSON, as far as it changes the price."""
    return _PRICED_TIERS.get(raw)


_PRICED_TIERS: Final = {b'"flex"': "flex", b'"priority"': "priority"}


def token_weight(text: str) -> float:
    """Estimated tokens before rounding, so that the pieces of a stream can be summed.

    A quarter for a character of one or two bytes in UTF-8 (Latin, Cyrillic, Greek, Arabic ...), three quarters for
    one of three (CJK, kana, hangul, Indic), one and a quarter for one of four (emoji, rare ideographs). It follows from
    three lengths, because a loop over characters would hold up everybody for the length of one prompt.
    """
    characters = len(text)
    if text.isascii():
        return characters / 4
    ascii_count = len(text.encode("ascii", "ignore"))
    beyond_two_bytes = len(text.encode("utf-8", "replace")) - 2 * characters + ascii_count
    return (characters - beyond_two_bytes) / 4 + beyond_two_bytes * 0.75


def estimate_tokens(text: str) -> int:
    """Tokens in `text`, for limits and for answers without usage; at least 1 for any text."""
    return math.ceil(token_weight(text))
