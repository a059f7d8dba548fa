"""Callers that speak Responses, whatever their target speaks."""

from __future__ import annotations

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.responses.decode import decode_request
from gaiarouter.dialects.responses.encode import encode_answer
from gaiarouter.dialects.responses.encode_events import StreamEncoder
from gaiarouter.dialects.responses.tools import namespaces
from gaiarouter.dialects.responses.view import AnswerView, view_of


class ResponsesCaller:
    """Stateless; one instance serves all requests."""

    def decode_request(self, body: bytes, envelope: Envelope = BARE) -> CanonicalRequest:
        """Raises InvalidRequest with the path of the first wrong field."""
        return decode_request(body)

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, input_tokens: int, model: str | None = None
    ) -> ResponsesWriter:
        """answer_id: for an answer without one; the dialect's prefix comes before it. created: seconds since 1970.
        input_tokens: estimated, which this format has no place for. model: shown instead of the target's."""
        known = namespaces(request.echoed.get("tools"))
        return ResponsesWriter(view_of(request, answer_id=answer_id, created=created, namespaces=known, model=model))


class ResponsesWriter:
    """Implements dialects.translate.AnswerWriter."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view

    def encode_answer(self, answer: CanonicalAnswer) -> bytes:
        return encode_answer(answer, self._view)

    def stream_encoder(self) -> StreamEncoder:
        return StreamEncoder(self._view)
