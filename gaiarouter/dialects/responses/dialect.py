"""OpenAI's Responses, as callers speak it to targets that speak it too."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.base import BARE, Answer, Envelope
from gaiarouter.dialects.responses import errors, request, response
from gaiarouter.dialects.responses.chunks import ResponsesStreamWatcher
from gaiarouter.dialects.windows import window_headers
from gaiarouter.errors import GatewayError, UpstreamError


class TellsAsResponses:
    """The part of dialects.base.Dialect that says nothing of models."""

    id_header = "x-request-id"

    def status_of(self, error: GatewayError) -> int:
        return error.status

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        return errors.error_body(error, request_id)

    def error_event(self, error: GatewayError, request_id: str, number: int = 0) -> bytes:
        return errors.error_event(error, request_id, number)

    window_headers = staticmethod(window_headers)


class ResponsesDialect(TellsAsResponses):
    """Implements dialects.base.SpokenByBoth."""

    name = "responses"
    media_type = "text/event-stream; charset=utf-8"
    keepalive = b": keep-alive\n"
    """One line: a comment with a blank line after it crashes official clients once an `id` was seen."""

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> request.ResponsesHead:
        return request.read_request(body, envelope)

    def read_answer(self, body: bytes) -> Answer:
        return response.read_answer(body)

    def watch(self, *, drop_usage: bool) -> ResponsesStreamWatcher:
        return ResponsesStreamWatcher()

    def stream_of(self, answer: Answer, *, include_usage: bool) -> bytes:
        return response.stream_of(answer)

    def answer_of(self, stream: bytes) -> Answer:
        return response.answer_of(stream)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return errors.read_error(status, headers, body)
