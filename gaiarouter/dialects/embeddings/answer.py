"""An Embeddings answer, read into the canonical form and written from it."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.embeddings import EmbeddingAnswer, EmbeddingRequest, Vector
from gaiarouter.canonical.usage import REJECTED, ToldCount, Usage
from gaiarouter.dialects.embeddings.vectors import as_array, as_base64
from gaiarouter.errors import BadAnswer

_NO_ERROR = (b"", b"null")


class _Item(Struct, gc=False):
    embedding: Raw
    index: int | None = None


class _Counts(Struct, gc=False):
    prompt_tokens: ToldCount = None
    total_tokens: ToldCount = None


class _Body(Struct, gc=False):
    data: list[_Item] | None = None
    model: str | None = None
    usage: Raw = Raw(b"null")
    error: Raw = Raw(b"")


_decode = msgspec.json.Decoder(_Body).decode
_decode_counts = msgspec.json.Decoder(_Counts | None).decode


def decode_answer(body: bytes, *, inputs: int) -> EmbeddingAnswer:
    """inputs: how many vectors were asked for. Raises BadAnswer for another number of them, or a place given twice."""
    answer = _read(body)
    items = answer.data or []
    by_place = {position if item.index is None else item.index: item for position, item in enumerate(items)}
    if sorted(by_place) != list(range(inputs)) or len(items) != inputs:
        raise BadAnswer("The provider's answer does not hold one vector for each input")
    return EmbeddingAnswer(
        model=answer.model or "",
        vectors=tuple(_vector(by_place[place].embedding) for place in range(inputs)),
        usage=_usage(answer.usage),
    )


def encode_answer(answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
    """In the encoding that the caller asked for, whatever the provider sent."""

    def spelt(vector: Vector) -> Raw | str:
        if request.encoding == "base64":
            return as_base64(vector, dimensions=request.dimensions)
        return as_array(vector, dimensions=request.dimensions)

    tokens = answer.usage.input_tokens if answer.usage else 0
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": spelt(vector)}
                for index, vector in enumerate(answer.vectors)
            ],
            "model": answer.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def is_as_asked(answer: EmbeddingAnswer, body: bytes, request: EmbeddingRequest) -> bool:
    """Whether the provider's own bytes can go on: the vectors are spelt as asked for, and in the inputs' order."""
    wanted_text = request.encoding == "base64"
    if any(isinstance(vector.numbers, str) != wanted_text for vector in answer.vectors):
        return False
    if wanted_text and request.dimensions is not None:
        width = 4 * request.dimensions
        if any(_size(vector) != width for vector in answer.vectors):
            return False
    indices = [item.index for item in _read(body).data or []]
    return indices == list(range(len(answer.vectors)))


def _size(vector: Vector) -> int:
    """Bytes that a base64 holds."""
    text = str(vector.numbers)
    return len(text) // 4 * 3 - text.count("=")


def _read(body: bytes) -> _Body:
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the form of Embeddings") from error
    if answer.data is None or bytes(answer.error).strip() not in _NO_ERROR:
        raise BadAnswer("The provider's answer holds no vectors")
    return answer


def _vector(raw: Raw) -> Vector:
    text = bytes(raw)
    if text.startswith(b'"'):
        return Vector(msgspec.json.decode(raw, type=str))
    if text.startswith(b"["):
        return Vector(raw)
    raise BadAnswer("The provider's vector is neither a list nor a text")


def _usage(raw: Raw) -> Usage | None:
    """Some send only the total. None where there is none, REJECTED where it is none to believe."""
    try:
        counts = _decode_counts(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return REJECTED
    tokens = (counts.prompt_tokens or counts.total_tokens or 0) if counts else 0
    return Usage(in_uncached=tokens) if tokens > 0 else None
