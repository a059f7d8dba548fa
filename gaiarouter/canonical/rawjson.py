"""JSON in its own bytes: numbers, escapes and the order of members stay as spelt, and a prompt cache with them."""

from __future__ import annotations

import re

from msgspec import Raw

# a string is taken whole, so that blank space in it stays
_STRING_OR_BLANK = re.compile(rb'("(?:[^"\\]|\\.)*+")|[ \t\r\n]++', re.DOTALL)


def compact(value: Raw | bytes) -> bytes:
    """Valid JSON without blank space between its tokens."""
    return _STRING_OR_BLANK.sub(rb"\1", bytes(value))
