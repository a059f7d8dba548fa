"""A request of Google's clients for vectors, of one text or of several.

The model stands in the address; the one inside must be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.embeddings import EmbeddingRequest
from gaiarouter.canonical.losses import refused
from gaiarouter.canonical.usage import token_weight
from gaiarouter.dialects.base import Conversion, Envelope
from gaiarouter.dialects.body import parse
from gaiarouter.dialects.embeddings.conversion import Encode
from gaiarouter.dialects.gemini.embedding_answer import GeminiPassed, encode_batch, encode_single
from gaiarouter.dialects.members import DuplicateMember, HasMembers, JsonObject, edited_members
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.errors import InvalidRequest

_MEDIA_TOKENS: Final = 260
_PREFIX: Final = "models/"
_KNOWN: Final = frozenset(
    {"model", "content", "taskType", "task_type", "title", "outputDimensionality", "output_dimensionality"}
)


class _Part(Struct, gc=False):
    text: str | None = None


class _Content(Struct, gc=False):
    parts: list[_Part]


class _Asked(Struct, gc=False):
    """Both spellings of each name."""

    content: _Content
    model: str | None = None
    task_type: str | None = msgspec.field(default=None, name="taskType")
    snake_task_type: str | None = msgspec.field(default=None, name="task_type")
    title: str | None = None
    dimensions: int | None = msgspec.field(default=None, name="outputDimensionality")
    snake_dimensions: int | None = msgspec.field(default=None, name="output_dimensionality")

    def wishes(self) -> tuple[str | None, str | None, int | None]:
        dimensions = self.snake_dimensions if self.dimensions is None else self.dimensions
        return self.task_type or self.snake_task_type, self.title, dimensions

    def weight(self) -> float:
        return sum(_MEDIA_TOKENS if part.text is None else token_weight(part.text) for part in self.content.parts)


class _Batch(Struct, gc=False):
    requests: list[Raw]
    model: str | None = None


_decode_asked = msgspec.json.Decoder(_Asked).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode


@dataclass(slots=True)
class GeminiEmbeddingHead(HasMembers):
    """Implements dialects.base.RequestHead and dialects.embeddings.conversion.EmbeddingAsked.

    _batch: the requests inside the request, where it is of that kind. _asked: each of them, read.
    """

    model: str
    prompt_bytes: int
    _asked: list[_Asked]
    _object: JsonObject
    _batch: list[JsonObject] | None
    stream: bool = False
    include_usage: bool = False
    max_output_tokens: int | None = None
    forwarded: Mapping[str, str] = field(default_factory=dict)
    sealed: bool = False

    def estimated_input_tokens(self) -> int:
        return int(sum(asked.weight() for asked in self._asked)) + 1

    @property
    def canonical(self) -> EmbeddingRequest:
        """Raises InvalidRequest for what only the API itself can have: pictures, or other wishes for each text."""
        task, title, dimensions = self._asked[0].wishes()
        for index, asked in enumerate(self._asked):
            if asked.wishes() != (task, title, dimensions):
                raise refused(self._path(index), "the model's provider makes vectors of one kind at a time")
        objects = [self._object] if self._batch is None else self._batch
        return EmbeddingRequest(
            dialect="gemini",
            model=self.model,
            inputs=tuple(self._text(index, asked) for index, asked in enumerate(self._asked)),
            dimensions=dimensions,
            task=task,
            title=title,
            extras={name: value for each in objects for name, value in each.members.items() if name not in _KNOWN},
            paths={
                "inputs": "content" if self._batch is None else "requests",
                "dimensions": "outputDimensionality",
                "task": "taskType",
                "title": "title",
            },
        )

    @property
    def encode(self) -> Encode:
        return encode_single if self._batch is None else encode_batch

    def passed(self, *, model: str, sends_base64: bool) -> Conversion:
        return GeminiPassed(
            self.body_for(model=model, ask_usage=False),
            inputs=None if self._batch is None else len(self._batch),
            tokens=self.estimated_input_tokens(),
        )

    def body_for(self, *, model: str, ask_usage: bool) -> bytes:
        named = {"model": msgspec.json.encode(_PREFIX + model.removeprefix(_PREFIX))}
        changes = named if "model" in self._object.members else {}
        if self._batch is not None:
            changes = {**changes, "requests": b"[" + b",".join(each.patched(named) for each in self._batch) + b"]"}
        return self._object.patched(changes)

    def edited(
        self, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...], system: str | None
    ) -> GeminiEmbeddingHead:
        """Edits are made in each of the requests inside. `system` says nothing to a model that only reads."""
        edits: dict[str, Any] = {"default": default, "set_": set_, "drop": drop}
        if self._batch is None:
            body = edited_members(self._object, **edits)
        else:
            changed = [edited_members(each, **edits) or each.body for each in self._batch]
            body = self._object.patched({"requests": b"[" + b",".join(changed) + b"]"})
        if body is None:
            return self
        return replace(read_request(body, Envelope(model=self.model), batch=self._batch is not None))

    def _text(self, index: int, asked: _Asked) -> str:
        texts = [part.text for part in asked.content.parts]
        if not texts or None in texts:
            path = f"{self._path(index)}.content".lstrip(".")
            raise refused(path, "the model's provider reads text only")
        return "\n".join(text for text in texts if text is not None)

    def _path(self, index: int) -> str:
        return "" if self._batch is None else f"requests[{index}]"


def read_request(body: bytes, envelope: Envelope, *, batch: bool) -> GeminiEmbeddingHead:
    """Raises InvalidRequest with the path of the first wrong field; its message holds nothing of the body."""
    model = (envelope.model or "").removeprefix(_PREFIX)
    if not model.strip():
        raise InvalidRequest("The address must name a model", param="model")
    if not batch:
        asked, members = parse(body, _decode_asked)
        _check_model(asked.model, model, "model")
        return GeminiEmbeddingHead(model, len(body), [asked], members, None)
    whole, members = parse(body, _decode_batch)
    _check_model(whole.model, model, "model")
    if not whole.requests:
        raise InvalidRequest("`requests` must not be empty", param="requests")
    inner = [_inner(raw, f"requests[{index}]") for index, raw in enumerate(whole.requests)]
    for index, (each, _) in enumerate(inner):
        _check_model(each.model, model, f"requests[{index}].model")
    return GeminiEmbeddingHead(model, len(body), [each for each, _ in inner], members, [each for _, each in inner])


def _inner(raw: Raw, path: str) -> tuple[_Asked, JsonObject]:
    try:
        return _decode_asked(raw), JsonObject(bytes(raw))
    except msgspec.ValidationError as error:
        raise wrong_field(str(error), inside=path) from None
    except DuplicateMember:
        raise InvalidRequest(f"`{path}` names a member twice", code="invalid_json", param=path) from None


def _check_model(found: str | None, model: str, path: str) -> None:
    if found is not None and found.removeprefix(_PREFIX) != model:
        raise InvalidRequest(f"`{path}` must be the model that the address names", param=path)
