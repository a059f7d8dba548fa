"""How many tokens a request would put in, asked without having it answered."""

from __future__ import annotations

from msgspec import Struct


class TokenCount(Struct, frozen=True):
    """tokens: all that a model would read, instructions and tools with it."""

    tokens: int
