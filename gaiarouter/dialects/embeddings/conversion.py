"""One embedding request on its way to one target, and the way back of its vectors. Nothing of it is streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec.structs import replace

from gaiarouter.canonical.embeddings import EmbeddingAnswer, EmbeddingRequest
from gaiarouter.canonical.usage import Usage, counted
from gaiarouter.dialects.base import Answer, Conversion
from gaiarouter.dialects.chat.provider_errors import read_error
from gaiarouter.dialects.embeddings.answer import decode_answer, is_as_asked
from gaiarouter.dialects.whole import NeverStreams
from gaiarouter.errors import Rejected, UpstreamError

Encode = Callable[[EmbeddingAnswer, EmbeddingRequest], bytes]


class EmbeddingTarget(Protocol):
    """One provider that speaks something else than Embeddings."""

    def prepare(self, request: EmbeddingRequest, *, model: str, strict: bool) -> PreparedEmbedding:
        """As of dialects.translate.Target."""
        ...


class PreparedEmbedding(Protocol):
    """A request written for one target, and how to read that target's answer to it. dropped: the caller's fields that
    it could not take."""

    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def dropped(self) -> tuple[str, ...]: ...

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """A 200. Raises BadAnswer."""
        ...

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Never raises."""
        ...


class EmbeddingAsked(Protocol):
    """A caller's request for vectors."""

    @property
    def canonical(self) -> EmbeddingRequest:
        """Raises InvalidRequest for what only targets of its own dialect can take."""
        ...

    @property
    def encode(self) -> Encode:
        """Writes answers in the caller's dialect."""
        ...

    def estimated_input_tokens(self) -> int: ...

    def passed(self, *, model: str, sends_base64: bool) -> Conversion:
        """For a target of its own dialect. sends_base64: as of Profile."""
        ...


class EmbeddingTranslation(NeverStreams):
    """Implements dialects.base.Conversion. encode: the caller's dialect's. model: told where the provider names none.
    tokens: estimated, told where the provider has not counted."""

    def __init__(
        self, request: EmbeddingRequest, prepared: PreparedEmbedding, encode: Encode, *, model: str, tokens: int
    ) -> None:
        self._request = request
        self._prepared = prepared
        self._encode = encode
        self._model = model
        self._estimate = Usage(in_uncached=tokens, estimated=True)
        self.body = prepared.body
        self.headers = prepared.headers
        self.dropped = prepared.dropped

    def read_answer(self, body: bytes) -> Answer:
        told = self._prepared.decode_answer(body)
        answer = replace(told, model=told.model or self._model, usage=counted(told.usage, self._estimate))
        return Answer(self._encode(answer, self._request), answer.usage, 0, None)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        error = self._prepared.read_error(status, headers, body)
        if isinstance(error, Rejected):
            error.body = None  # of another dialect than the caller's
        return error


class EmbeddingsPassed(NeverStreams):
    """Implements dialects.base.Conversion for a caller and a target that both speak Embeddings: the bytes go on both
    ways, but for the encoding of vectors where the two differ in it."""

    dropped: tuple[str, ...] = ()

    def __init__(self, request: EmbeddingRequest, body: bytes, encode: Encode) -> None:
        self._request = request
        self._encode = encode
        self.headers: Mapping[str, str] = {}
        self.body = body

    def read_answer(self, body: bytes) -> Answer:
        answer = decode_answer(body, inputs=len(self._request.inputs))
        told = body if is_as_asked(answer, body, self._request) else self._encode(answer, self._request)
        return Answer(told, answer.usage, 0, None)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
