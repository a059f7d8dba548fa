"""Google's Gemini, as callers speak it and as targets of theirs do."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.canonical.fold import fold
from gaiarouter.dialects.base import BARE, Answer, Envelope
from gaiarouter.dialects.gemini import errors, head, response
from gaiarouter.dialects.gemini.chunks import StreamDecoder
from gaiarouter.dialects.gemini.encode import encode_answer, event_of
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.view import AnswerView
from gaiarouter.dialects.gemini.watcher import GeminiStreamWatcher
from gaiarouter.dialects.windows import window_headers
from gaiarouter.errors import GatewayError, UpstreamError

_PLAIN = AnswerPlan()
_OWN = AnswerView(fallback_id="")


class TellsAsGemini:
    """The part of dialects.base.Dialect that says nothing of models."""

    id_header = "x-request-id"

    def status_of(self, error: GatewayError) -> int:
        return error.status

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        return errors.error_body(error, request_id)

    def error_event(self, error: GatewayError, request_id: str, number: int = 0) -> bytes:
        return errors.error_event(error, request_id)

    window_headers = staticmethod(window_headers)
    """The API has none: those that most clients know."""


class GeminiDialect(TellsAsGemini):
    """Implements dialects.base.SpokenByBoth."""

    name = "gemini"
    media_type = "text/event-stream; charset=utf-8"
    # its clients read every line as data: an answer that says nothing yet
    keepalive = event_of(b'{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0}]}')

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> head.GeminiHead:
        return head.read_request(body, envelope)

    def read_answer(self, body: bytes) -> Answer:
        return response.read_answer(body)

    def watch(self, *, drop_usage: bool) -> GeminiStreamWatcher:
        """Usage is in events that have other news too, so that nothing is dropped."""
        return GeminiStreamWatcher()

    def stream_of(self, answer: Answer, *, include_usage: bool) -> bytes:
        """A stream of one response."""
        return event_of(answer.body.replace(b"\r", b" ").replace(b"\n", b" "))

    def answer_of(self, stream: bytes) -> Answer:
        decoder = StreamDecoder(_PLAIN)
        return self.read_answer(encode_answer(fold([*decoder.feed(stream), *decoder.close()]), _OWN))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return errors.read_error(status, headers, body)
