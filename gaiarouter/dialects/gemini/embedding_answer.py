"""Vectors as Google's clients read them: the API's own, checked as they go by, and those of others written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.embeddings import EmbeddingAnswer, EmbeddingRequest
from gaiarouter.canonical.usage import Usage, counted
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.embeddings.vectors import as_array
from gaiarouter.dialects.gemini.embeddings import PreparedGeminiEmbeddings, Values, read_counts
from gaiarouter.dialects.gemini.errors import read_error
from gaiarouter.dialects.whole import NeverStreams
from gaiarouter.errors import BadAnswer, UpstreamError


class _Single(Struct, gc=False, rename="camel"):
    embedding: Values
    usage_metadata: Raw = Raw(b"null")


_decode_single = msgspec.json.Decoder(_Single).decode


class GeminiPassed(NeverStreams):
    """Implements dialects.base.Conversion. inputs: of a batch, how many vectors must come. tokens: estimated, for
    models that do not count."""

    dropped: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}

    def __init__(self, body: bytes, *, inputs: int | None, tokens: int) -> None:
        self.body = body
        self._inputs = inputs
        self._tokens = tokens

    def read_answer(self, body: bytes) -> Answer:
        usage = _single_usage(body) if self._inputs is None else self._batch_usage(body, self._inputs)
        return Answer(body, counted(usage, Usage(in_uncached=self._tokens, estimated=True)), 0, None)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)

    def _batch_usage(self, body: bytes, inputs: int) -> Usage | None:
        return PreparedGeminiEmbeddings(body=b"", inputs=inputs, dropped=()).decode_answer(body).usage


def _single_usage(body: bytes) -> Usage | None:
    try:
        answer = _decode_single(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer holds no vector") from error
    if not bytes(answer.embedding.values).startswith(b"["):
        raise BadAnswer("The provider's answer holds no vector")
    return read_counts(answer.usage_metadata)


def encode_batch(answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
    return msgspec.json.encode({"embeddings": _vectors(answer, request), **_usage(answer)})


def encode_single(answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
    return msgspec.json.encode({"embedding": _vectors(answer, request)[0], **_usage(answer)})


def _vectors(answer: EmbeddingAnswer, request: EmbeddingRequest) -> list[dict[str, Raw]]:
    return [{"values": as_array(vector, dimensions=request.dimensions)} for vector in answer.vectors]


def _usage(answer: EmbeddingAnswer) -> dict[str, Any]:
    return {"usageMetadata": {"promptTokenCount": answer.usage.input_tokens}} if answer.usage else {}
