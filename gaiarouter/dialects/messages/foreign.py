"""What another provider sealed, in the place where this format has a signature.

Callers send thinking back as it came, and Anthropic checks its signatures. What was sealed elsewhere therefore carries
one that the gateway knows as its own: it is opened on the way back, goes to whoever sealed it, and to nobody else.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from gaiarouter.canonical.parts import Reasoning, Sealed
from gaiarouter.dialects import sealing

Holder = Literal["thinking", "text", "call"]


class Wrapped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """on: what the seals belong to: this very thinking, the text before it, or the call of `call_id`. format, id: whose
    thinking it is, and its name there. is_summary: its text is what was told of it."""

    on: Holder = "thinking"
    format: str = ""
    sealed: tuple[Sealed, ...] = ()
    call_id: str | None = None
    id: str | None = None
    is_summary: bool = False


def wrapped(part: Reasoning, sealed: tuple[Sealed, ...], *, is_summary: bool) -> Wrapped:
    """sealed, is_summary: of all that came, of which `part` need not know yet."""
    return Wrapped(format=part.format, sealed=sealed, id=part.id, is_summary=is_summary)


_decode = msgspec.json.Decoder(Wrapped).decode


def wrap(wrapped: Wrapped) -> str:
    return sealing.wrap(wrapped)


def unwrap(signature: str) -> Wrapped | None:
    """None for a signature that the gateway did not make."""
    return sealing.unwrap(signature, _decode)
