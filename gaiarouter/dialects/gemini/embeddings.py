"""`models/{model}:batchEmbedContents`: texts into vectors, one request for each text inside one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.embeddings import EmbeddingAnswer, EmbeddingRequest, Vector
from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.usage import REJECTED, ToldCount, Usage
from gaiarouter.dialects.accounting import NO_COUNTERPART
from gaiarouter.dialects.gemini.errors import read_error
from gaiarouter.errors import BadAnswer, UpstreamError

MOST_INPUTS: Final = 100
"""In one request."""


class GeminiEmbeddings:
    """A target that turns texts into vectors."""

    def prepare(self, request: EmbeddingRequest, *, model: str, strict: bool) -> PreparedGeminiEmbeddings:
        """model: its name at the provider. Raises InvalidRequest, by the caller's own name of the field, for what the
        API cannot do; if `strict`, for whatever it cannot do exactly."""
        path, losses = request.paths.get("inputs", "input"), Losses(strict=strict)
        if len(request.inputs) > MOST_INPUTS:
            raise refused(path, f"the model's provider takes at most {MOST_INPUTS} at once", code="invalid_value")
        if request.end_user is not None:
            losses.drop(request.paths.get("end_user", "user"), NO_COUNTERPART, blind=True)
        for name in request.extras:
            losses.drop(name, NO_COUNTERPART)
        wishes = {
            "taskType": request.task,
            "title": request.title,
            "outputDimensionality": request.dimensions,
        }
        each = {"model": f"models/{model.removeprefix('models/')}"} | {
            name: value for name, value in wishes.items() if value is not None
        }
        body = {"requests": [each | _content(text, path) for text in request.inputs]}
        return PreparedGeminiEmbeddings(
            body=msgspec.json.encode(body),
            inputs=len(request.inputs),
            dropped=tuple(loss.path for loss in losses.all()),
        )


def _content(text: str | tuple[int, ...], path: str) -> dict[str, Any]:
    if not isinstance(text, str):
        raise refused(path, "the model's provider takes texts, not tokens of another's")
    return {"content": {"parts": [{"text": text}]}}


class Values(Struct, gc=False):
    values: Raw


class _Counts(Struct, gc=False, rename="camel"):
    prompt_token_count: ToldCount = None


class _Answer(Struct, gc=False, rename="camel"):
    embeddings: list[Values]
    usage_metadata: Raw = Raw(b"null")


_decode = msgspec.json.Decoder(_Answer).decode
_decode_counts = msgspec.json.Decoder(_Counts | None).decode


def read_counts(raw: Raw) -> Usage | None:
    """None where there are none, REJECTED where they are none to believe."""
    try:
        counts = _decode_counts(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return REJECTED
    return Usage(in_uncached=counts.prompt_token_count) if counts and counts.prompt_token_count else None


class PreparedGeminiEmbeddings(Struct, frozen=True, kw_only=True):
    """Implements dialects.embeddings.conversion.PreparedEmbedding. inputs: how many vectors must come."""

    body: bytes
    inputs: int
    dropped: tuple[str, ...]
    headers: Mapping[str, str] = {}

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Without the model's name, which the answer does not tell. Raises BadAnswer."""
        try:
            answer = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer("The provider's answer holds no vectors") from error
        vectors = [bytes(each.values) for each in answer.embeddings]
        if len(vectors) != self.inputs or not all(vector.startswith(b"[") for vector in vectors):
            raise BadAnswer("The provider's answer does not hold one vector for each input")
        return EmbeddingAnswer(
            model="",
            vectors=tuple(Vector(Raw(vector)) for vector in vectors),
            usage=read_counts(answer.usage_metadata),
        )

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
