"""What another provider thought and sealed, in the place where this format has a signature.

Callers keep signatures with the part that they came on, and seldom the thinking itself: a signature of the gateway's
own therefore holds all of it.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from gaiarouter.canonical.parts import Reasoning, Sealed
from gaiarouter.dialects import sealing


class Place(Struct, frozen=True, order=True, omit_defaults=True):
    """Where thinking stood. things: how many stood before it that are no thinking, text in one run being one of them.
    characters: of the run of text that it interrupts, how much came before."""

    things: int = 0
    characters: int = 0


class _Thought(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As of Reasoning. place: where it stood in the turn."""

    visible: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    sealed: tuple[Sealed, ...] = ()
    format: str = ""
    id: str | None = None
    place: Place = Place()


class Wrapped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """thoughts: of the turn, up to the part that carries this. sealed: a foreign seal on that very part."""

    thoughts: tuple[_Thought, ...] = ()
    sealed: Sealed | None = None

    def reasoning(self, path: str) -> list[tuple[Place, Reasoning]]:
        return [
            (
                each.place,
                Reasoning(
                    visible=each.visible,
                    summary=each.summary,
                    sealed=each.sealed,
                    format=each.format,
                    id=each.id,
                    path=path,
                ),
            )
            for each in self.thoughts
        ]


SEAL = b'"Z3cxLmV5'
"""How such a signature begins in a body."""
_decode = msgspec.json.Decoder(Wrapped).decode


def wrap(thoughts: list[tuple[Place, Reasoning]], sealed: Sealed | None) -> str:
    """A signature must be base64: clients read it as bytes. This one is the same in both alphabets of that."""
    told = tuple(
        _Thought(
            visible=part.visible,
            summary=part.summary,
            sealed=part.sealed,
            format=part.format,
            id=part.id,
            place=place,
        )
        for place, part in thoughts
    )
    return base64.b64encode(sealing.wrap(Wrapped(thoughts=told, sealed=sealed)).encode()).decode()


def unwrap(signature: str) -> Wrapped | None:
    """None for a signature that the gateway did not make."""
    try:
        text = base64.b64decode(signature, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return sealing.unwrap(text, _decode)
