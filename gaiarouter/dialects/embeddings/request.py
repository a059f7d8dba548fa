"""An Embeddings request: checked field by field, patched in the caller's own bytes, or read into the canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from gaiarouter.canonical.embeddings import EmbeddingRequest
from gaiarouter.canonical.usage import token_weight
from gaiarouter.dialects.base import BARE, Conversion, Envelope
from gaiarouter.dialects.body import parse
from gaiarouter.dialects.embeddings.answer import encode_answer
from gaiarouter.dialects.embeddings.conversion import EmbeddingsPassed, Encode
from gaiarouter.dialects.members import HasMembers, JsonObject, edited_members
from gaiarouter.errors import InvalidRequest

_Input = TypeVar("_Input", str, tuple[int, ...], str | tuple[int, ...])
_KNOWN: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user"})


class _Body(Struct, gc=False):
    model: str
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


_decode = msgspec.json.Decoder(_Body).decode


@dataclass(slots=True)
class EmbeddingHead(HasMembers):
    """Implements dialects.base.RequestHead and dialects.embeddings.conversion.EmbeddingAsked."""

    model: str
    prompt_bytes: int
    canonical: EmbeddingRequest
    _object: JsonObject
    stream: bool = False
    include_usage: bool = False
    max_output_tokens: int | None = None
    sealed: bool = False
    forwarded: Mapping[str, str] = field(default_factory=dict)

    def estimated_input_tokens(self) -> int:
        inputs = self.canonical.inputs
        return int(sum(token_weight(text) if isinstance(text, str) else len(text) for text in inputs)) + 1

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        return self._object.replaced("model", msgspec.json.encode(model))

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> EmbeddingHead:
        """`system` says nothing to a model that only reads."""
        body = edited_members(self._object, default=default, set_=set_, drop=drop)
        return self if body is None else replace(read_request(body), forwarded=self.forwarded)

    @property
    def encode(self) -> Encode:
        return encode_answer

    def passed(self, *, model: str, sends_base64: bool) -> Conversion:
        """A target that cannot be trusted with `encoding_format: base64` is asked for numbers."""
        changes = {"model": msgspec.json.encode(model)}
        if self.canonical.encoding == "base64" and not sends_base64:
            changes["encoding_format"] = b'"float"'
        return EmbeddingsPassed(self.canonical, self._object.patched(changes), encode_answer)


def read_request(body: bytes, envelope: Envelope = BARE) -> EmbeddingHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    request, members = parse(body, _decode)
    if not request.model.strip():
        raise InvalidRequest("`model` must not be empty", param="model")
    if request.encoding_format not in (None, "float", "base64"):
        raise InvalidRequest("`encoding_format` must be `float` or `base64`", param="encoding_format")
    if request.dimensions is not None and request.dimensions < 1:
        raise InvalidRequest("`dimensions` must be at least 1", param="dimensions")
    encoding: Literal["float", "base64"] = "base64" if request.encoding_format == "base64" else "float"
    canonical = EmbeddingRequest(
        dialect="embeddings",
        model=request.model,
        inputs=_inputs(request.input),
        dimensions=request.dimensions,
        encoding=encoding,
        end_user=request.user,
        extras={name: value for name, value in members.members.items() if name not in _KNOWN},
        paths={"inputs": "input", "dimensions": "dimensions", "end_user": "user"},
    )
    return EmbeddingHead(request.model, len(members.members["input"]), canonical, members)


def _inputs(value: str | list[str | int | list[int]]) -> tuple[str | tuple[int, ...], ...]:
    """A text, texts, one text's tokens, or several texts' tokens."""
    if isinstance(value, str):
        return (_filled(value, "input"),)
    if not value:
        raise InvalidRequest("`input` must not be empty", param="input")
    tokens = [item for item in value if isinstance(item, int)]
    if tokens:
        if len(tokens) != len(value):
            raise InvalidRequest("`input` must hold texts, or the tokens of one text, not both", param="input")
        return (tuple(tokens),)
    return tuple(
        _filled(item if isinstance(item, str) else tuple(item), f"input[{index}]")
        for index, item in enumerate(value)
        if not isinstance(item, int)
    )


def _filled(item: _Input, path: str) -> _Input:
    if not item:
        raise InvalidRequest(f"`{path}` must not be empty", param=path)
    return item
