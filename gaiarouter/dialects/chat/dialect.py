"""OpenAI's Chat Completions, as callers speak it and as most providers do."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.base import BARE, Answer, Envelope
from gaiarouter.dialects.chat import fold, provider_errors, request, response
from gaiarouter.dialects.chat.chunks import ChatStreamWatcher
from gaiarouter.dialects.chat.telling import TellsAsChat
from gaiarouter.errors import UpstreamError


class ChatDialect(TellsAsChat):
    """Implements dialects.base.Dialect."""

    name = "chat"
    media_type = "text/event-stream; charset=utf-8"
    keepalive = b": keep-alive\n"
    """One line: a comment with a blank line after it crashes official clients once an `id` was seen."""

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> request.ChatHead:
        return request.read_request(body, envelope)

    def read_answer(self, body: bytes) -> Answer:
        return response.read_answer(body)

    def watch(self, *, drop_usage: bool) -> ChatStreamWatcher:
        return ChatStreamWatcher(drop_usage=drop_usage)

    def stream_of(self, answer: Answer, *, include_usage: bool) -> bytes:
        return response.stream_of(answer, include_usage=include_usage)

    def answer_of(self, stream: bytes) -> Answer:
        return fold.answer_of(stream)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return provider_errors.read_error(status, headers, body)
