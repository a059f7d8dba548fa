"""The operations of this folder, a row each, and what of their requests is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.usage import token_weight

_NOTHING: Mapping[str, float] = MappingProxyType({})


class Asked(Struct, gc=False):
    """The members that are checked, with those that a limit or a price depends on."""

    model: str | None = None

    def weight(self) -> float:
        """Estimated tokens of what the model will read, not rounded."""
        return 0.0

    def units(self) -> Mapping[str, float]:
        """What is billed by the piece, as far as the request says it."""
        return _NOTHING


class _Moderation(Asked, kw_only=True, gc=False):
    input: str | list[str | dict[str, Raw]]

    def weight(self) -> float:
        return _texts(self.input)


class _Images(Asked, kw_only=True, gc=False):
    prompt: str
    n: int | None = None

    def weight(self) -> float:
        return token_weight(self.prompt)


class _Speech(Asked, kw_only=True, gc=False):
    input: str
    instructions: str | None = None

    def weight(self) -> float:
        return token_weight(self.input) + token_weight(self.instructions or "")

    def units(self) -> Mapping[str, float]:
        return {"characters": len(self.input)}


class _Rerank(Asked, kw_only=True, gc=False):
    query: str | dict[str, Raw]
    documents: list[str | dict[str, Raw]]

    def weight(self) -> float:
        return _texts([self.query]) + _texts(self.documents)


def _texts(value: str | Sequence[str | dict[str, Raw]]) -> float:
    """An object is a text or a picture, and weighs what its JSON does."""
    if isinstance(value, str):
        return token_weight(value)
    return sum(
        token_weight(each) if isinstance(each, str) else sum(len(raw) for raw in each.values()) / 4 for each in value
    )


_decode_form = msgspec.json.Decoder(Asked).decode


@dataclass(frozen=True, slots=True)
class Operation:
    """name: as `speaks` has it, with a word after a dot for what comes with that. decode: reads a request's body.

    model: taken where the caller names none, as the API itself does; None: it must be named. bytes: the answer need not
    be JSON. is_form: the body is a form, of which only the model is read.
    """

    name: str
    decode: Callable[[bytes], Asked]
    model: str | None = None
    bytes: bool = False
    is_form: bool = False


OPERATIONS: tuple[Operation, ...] = (
    Operation("moderations", msgspec.json.Decoder(_Moderation).decode, model="omni-moderation-latest"),
    Operation("images", msgspec.json.Decoder(_Images).decode),
    Operation("speech", msgspec.json.Decoder(_Speech).decode, bytes=True),
    Operation("rerank", msgspec.json.Decoder(_Rerank).decode),
    Operation("images.edits", _decode_form, is_form=True),
    # a transcript may be plain text
    Operation("transcriptions", _decode_form, bytes=True, is_form=True),
    Operation("transcriptions.translations", _decode_form, bytes=True, is_form=True),
)
