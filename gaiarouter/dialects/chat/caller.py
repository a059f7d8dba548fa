"""Callers that speak Chat, whatever their target speaks."""

from __future__ import annotations

from msgspec import Struct

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.dialects.chat.encode import encode_answer
from gaiarouter.dialects.chat.encode_chunks import StreamEncoder
from gaiarouter.dialects.chat.view import AnswerView, view_of


class ChatCaller:
    """Stateless; one instance serves all requests."""

    def decode_request(self, body: bytes, envelope: Envelope = BARE) -> CanonicalRequest:
        """Raises InvalidRequest with the path of the first wrong field."""
        return decode_request(body)

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, input_tokens: int, model: str | None = None
    ) -> ChatWriter:
        """answer_id: for an answer without one; the dialect's prefix comes before it. created: seconds since 1970.
        input_tokens: estimated, which this format has no place for. model: shown instead of the target's."""
        return ChatWriter(view_of(request, answer_id=answer_id, created=created, model=model))


class ChatWriter(Struct):
    """Implements dialects.translate.AnswerWriter."""

    view: AnswerView

    def encode_answer(self, answer: CanonicalAnswer) -> bytes:
        return encode_answer(answer, self.view)

    def stream_encoder(self) -> StreamEncoder:
        return StreamEncoder(self.view)
