"""The `usageMetadata` member of the Gemini format, in both directions. Arithmetic: docs/metering.md.

The prompt's count holds what was read from a cache, but not what the provider's own tools read; the count of the answer
holds no thinking.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import Modalities, ToldCount, Usage, later
from gaiarouter.dialects.sifting import UNREADABLE, sifted

# numbers of the enumeration, for servers that send them in place of its words
_MODALITIES: dict[str | int | None, str] = {2: "IMAGE", 4: "AUDIO"}


class _OfModality(Struct, gc=False, rename="camel"):
    modality: str | int | None = None
    token_count: ToldCount = None


class _Usage(Struct, gc=False, rename="camel"):
    prompt_token_count: ToldCount = None
    cached_content_token_count: ToldCount = None
    tool_use_prompt_token_count: ToldCount = None
    candidates_token_count: ToldCount = None
    thoughts_token_count: ToldCount = None
    prompt_tokens_details: list[_OfModality] | None = None
    cache_tokens_details: list[_OfModality] | None = None
    candidates_tokens_details: list[_OfModality] | None = None
    service_tier: str | None = None

    def says_nothing(self) -> bool:
        """Not even of a prompt: zeros are a placeholder."""
        given = self.prompt_token_count or self.tool_use_prompt_token_count
        return not (given or self.candidates_token_count or self.thoughts_token_count)


_VITAL: Final = frozenset({"promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"})
_DIGITS = b"0123456789"
_DIGIT_IN_A_NAME = re.compile(rb'[0-9][^"]*+"\s*+:')

_decode_counts = msgspec.json.Decoder(_Usage).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def read_usage(raw: Raw) -> Usage | None:
    """Of a whole answer. None where there is none. REJECTED where it is none to believe; a detail that cannot be read
    is left out."""
    body = bytes(raw)
    if b"null" in body:
        return UsageTotals().take(raw)
    try:
        return _usage(_decode_counts(body), body)
    except UNREADABLE:
        return sifted(body, _decode_counts, _VITAL, read_usage)


class UsageTotals:
    """The counts of one answer. Each event of a stream tells the totals so far: a member that comes again replaces the
    earlier one, a member that does not leaves it."""

    def __init__(self) -> None:
        self._members: dict[str, Raw] = {}
        self._last = b""
        self._form: bytes | None = None
        self._latest: Raw | None = None
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """The usage so far; None while there is none, REJECTED while there is none to believe."""
        if self._latest is not None:
            latest, self._latest = self._latest, None
            self._read(latest)
        return self._usage

    def follow(self, raws: Sequence[Raw]) -> bool:
        """Whether they tell the same members as the one before them: then the last of them holds alone, and is not read
        before somebody asks. Nothing is done otherwise."""
        if self._form is None:
            named = self._last and not _DIGIT_IN_A_NAME.search(self._last)
            self._form = self._last.translate(None, _DIGITS) if named else b""
        if b"\n".join(raws).translate(None, _DIGITS) != b"\n".join([self._form] * len(raws)):
            return False
        if raws[-1]:
            self._latest = raws[-1]
        return True

    def take(self, raw: Raw) -> Usage | None:
        """The usage so far. A count that cannot be read holds until it is told again."""
        before = self.usage  # what is still to be read comes first
        if raw and bytes(raw) == self._last:
            return before
        return self._read(raw)

    def _read(self, raw: Raw) -> Usage | None:
        try:
            told, body = _decode_members(raw), bytes(raw)
        except UNREADABLE:
            self._usage = later(self._usage, sifted(bytes(raw), _decode_counts, _VITAL, read_usage))
            return self._usage
        merged = told
        if self._members or b"null" in body:
            merged = self._members | {name: value for name, value in told.items() if bytes(value) != b"null"}
            body = body if merged == told else msgspec.json.encode(merged)
        self._members, self._last, self._form = merged, bytes(raw), None
        try:
            self._usage = _usage(_decode_counts(body), body)
        except UNREADABLE:
            self._usage = later(self._usage, sifted(body, _decode_counts, _VITAL, read_usage))
        return self._usage


def _usage(counts: _Usage, raw: bytes) -> Usage | None:
    if counts.says_nothing():
        return None
    prompt = counts.prompt_token_count or 0
    read = min(counts.cached_content_token_count, prompt) if counts.cached_content_token_count else 0
    return Usage(
        in_uncached=prompt - read,
        in_cache_read=read,
        in_tool=counts.tool_use_prompt_token_count or 0,
        out_visible=counts.candidates_token_count or 0,
        out_reasoning=counts.thoughts_token_count or 0,
        modalities=_modalities(counts) if counts.prompt_tokens_details or counts.candidates_tokens_details else None,
        tier=counts.service_tier,
        raw=raw,
    )


def _modalities(counts: _Usage) -> Modalities | None:
    said, spoken = _by_name(counts.prompt_tokens_details), _by_name(counts.candidates_tokens_details)
    found = Modalities(
        in_audio=said.get("AUDIO"),
        cached_audio=_by_name(counts.cache_tokens_details).get("AUDIO"),
        in_image=said.get("IMAGE"),
        out_audio=spoken.get("AUDIO"),
        out_image=spoken.get("IMAGE"),
    )
    return found if found != Modalities() else None


def _by_name(details: list[_OfModality] | None) -> dict[str, int | None]:
    return {_MODALITIES.get(each.modality, str(each.modality).upper()): each.token_count for each in details or ()}


def write_usage(usage: Usage) -> dict[str, Any]:
    """The `usageMetadata` object."""
    written: dict[str, Any] = {
        "promptTokenCount": usage.in_uncached + usage.in_cache_read + usage.in_cache_write,
        "candidatesTokenCount": usage.out_visible,
        "totalTokenCount": usage.total_tokens,
    }
    optional = {
        "cachedContentTokenCount": usage.in_cache_read,
        "toolUsePromptTokenCount": usage.in_tool,
        "thoughtsTokenCount": usage.out_reasoning,
        "serviceTier": usage.tier,
    }
    return written | {name: value for name, value in optional.items() if value}
