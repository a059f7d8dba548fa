"""Thinking of any maker inside a reasoning item's `encrypted_content`, which callers keep and send back as it is.

What OpenAI sealed goes as it came. All else is wrapped: `gw1.` and base64url of JSON that says what it was.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gaiarouter.canonical.parts import Reasoning, Sealed
from gaiarouter.dialects import sealing

OWN_FORMAT = "openai-responses-v1"
_OWN_SUFFIX = "-responses-v1"


class Wrapped(Struct, frozen=True, omit_defaults=True):
    """told: which texts of the item's are whose: `visible` or `summary`. pieces: how many texts were withheld. of: the
    call that the seal belongs to, `""` for the text before it; None where it is thinking of its own. id: the thinking's
    name at its maker's."""

    format: str
    sealed: tuple[Sealed, ...] = ()
    told: str = "summary"
    pieces: int = 0
    of: str | None = None
    id: str | None = None


_decode = msgspec.json.Decoder(Wrapped).decode


def is_own(format_: str) -> bool:
    """Made by one of those who speak this format, whichever."""
    return format_.endswith(_OWN_SUFFIX)


def is_own_seal(sealed: Sealed) -> bool:
    """Made and told by one of them: others who tell it have accounts of their own there."""
    return sealed.via is None and is_own(sealed.format)


def wrap(wrapped: Wrapped) -> str:
    return sealing.wrap(wrapped)


def unwrap(encrypted: str) -> Wrapped | None:
    """None for what was not wrapped here."""
    return sealing.unwrap(encrypted, _decode)


def seal_of(part: Reasoning) -> str | None:
    """What stands in `encrypted_content` for a piece of thinking; None where there is nothing to keep."""
    own = [each.data for each in part.sealed if each.kind == "encrypted" and is_own_seal(each)]
    if own:
        return own[0]
    if not part.sealed and part.format in ("", OWN_FORMAT):
        return None
    withheld = sum(1 for text in part.visible if not text)
    told = "visible" if part.visible else "summary"
    return wrap(Wrapped(format=part.format, sealed=part.sealed, told=told, pieces=withheld, id=part.id))


def unsealed(texts: tuple[str, ...], wrapped: Wrapped, *, path: str) -> Reasoning:
    """The thinking that was wrapped, with the item's texts."""
    visible = (texts or ("",) * wrapped.pieces) if wrapped.told == "visible" else ()
    summary = texts if wrapped.told == "summary" else ()
    return Reasoning(
        visible=visible,
        summary=summary,
        sealed=wrapped.sealed,
        format=wrapped.format,
        id=wrapped.id,
        path=path,
    )
