"""A target that speaks Embeddings, for callers of another format."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from gaiarouter.canonical.embeddings import EmbeddingAnswer, EmbeddingRequest
from gaiarouter.canonical.losses import Losses
from gaiarouter.dialects.accounting import NO_COUNTERPART
from gaiarouter.dialects.chat.provider_errors import read_error
from gaiarouter.dialects.embeddings.answer import decode_answer
from gaiarouter.errors import UpstreamError


class EmbeddingsTarget:
    """Implements dialects.embeddings.conversion.EmbeddingTarget."""

    def prepare(self, request: EmbeddingRequest, *, model: str, strict: bool) -> PreparedEmbeddings:
        losses = Losses(strict=strict)
        for slot, wish in (("task", request.task), ("title", request.title)):
            if wish is not None:
                losses.drop(request.paths.get(slot, slot), NO_COUNTERPART)
        for name in request.extras:
            losses.drop(name, NO_COUNTERPART)
        wishes = {"dimensions": request.dimensions, "user": request.end_user}
        body = {
            "model": model,
            "input": request.inputs,
            "encoding_format": "float",
            **{name: value for name, value in wishes.items() if value is not None},
        }
        return PreparedEmbeddings(
            body=msgspec.json.encode(body),
            inputs=len(request.inputs),
            dropped=tuple(loss.path for loss in losses.all()),
        )


class PreparedEmbeddings(Struct, frozen=True, kw_only=True):
    """Implements dialects.embeddings.conversion.PreparedEmbedding. inputs: how many vectors must come."""

    body: bytes
    inputs: int
    dropped: tuple[str, ...]
    headers: Mapping[str, str] = {}

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        return decode_answer(body, inputs=self.inputs)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
