"""Callers that speak Messages, whatever their target speaks."""

from __future__ import annotations

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.messages.decode import decode_request
from gaiarouter.dialects.messages.encode import encode_answer
from gaiarouter.dialects.messages.encode_events import StreamEncoder
from gaiarouter.dialects.messages.view import AnswerView, view_of


class MessagesCaller:
    """Stateless; one instance serves all requests."""

    def decode_request(self, body: bytes, envelope: Envelope = BARE) -> CanonicalRequest:
        """Raises InvalidRequest with the path of the first wrong field."""
        return decode_request(body)

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, input_tokens: int, model: str | None = None
    ) -> MessagesWriter:
        """As of pipeline.conversion.Caller. This format has no place for `created`."""
        return MessagesWriter(view_of(request, answer_id=answer_id, input_tokens=input_tokens, model=model))


class MessagesWriter:
    """Implements dialects.translate.AnswerWriter."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view

    def encode_answer(self, answer: CanonicalAnswer) -> bytes:
        return encode_answer(answer, self._view)

    def stream_encoder(self) -> StreamEncoder:
        return StreamEncoder(self._view)
