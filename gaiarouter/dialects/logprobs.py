"""How likely tokens were, as Chat and Responses tell it: a list of tokens with their rivals."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct


class Token(Struct, gc=False):
    token: str = ""
    logprob: float | None = None
    top_logprobs: list[Token] | None = None


decode_tokens = msgspec.json.Decoder(list[Token]).decode


def is_told(raw: Raw) -> bool:
    """Whether there is such a list, and anything in it: who writes it again need not ask."""
    try:
        return bytes(raw) not in (b"", b"null") and bool(decode_tokens(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
