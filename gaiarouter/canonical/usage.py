"""Tokens as exclusive buckets: no token is in two of them. Arithmetic and sources: docs/metering.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer.

    in_uncached + in_cache_read + in_cache_write + in_tool is the whole input; out_visible + out_reasoning the
    whole output. `estimated`: counted here, because the provider sent none.
    """

    in_uncached: int = 0
    in_cache_read: int = 0
    in_cache_write: int = 0
    in_tool: int = 0
    out_visible: int = 0
    out_reasoning: int = 0
    estimated: bool = False

    @property
    def input_tokens(self) -> int:
        return self.in_uncached + self.in_cache_read + self.in_cache_write + self.in_tool

    @property
    def output_tokens(self) -> int:
        return self.out_visible + self.out_reasoning

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def estimate_tokens(text: str) -> int:
    """Tokens in `text`, by script: ASCII / 4, CJK x 0.75, other characters / 4. At least 1 for any text."""
    if text.isascii():
        return -(-len(text) // 4)
    ascii_count = sum(1 for c in text if c < "\x80")
    cjk = sum(1 for c in text if "\u2e80" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" or c >= "\U00020000")
    other = len(text) - ascii_count - cjk
    return max(1, round(ascii_count / 4 + cjk * 0.75 + other / 4))
