"""Completions, as callers speak it and as those providers do that still have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gaiarouter.dialects.base import BARE, Answer, Envelope
from gaiarouter.dialects.chat import provider_errors
from gaiarouter.dialects.chat.chunks import ChatStreamWatcher
from gaiarouter.dialects.chat.dialect import ChatDialect
from gaiarouter.dialects.chat.telling import TellsAsChat
from gaiarouter.dialects.completions import answers, request
from gaiarouter.errors import UpstreamError

_NOT_FOUND: Final = 404
_CHAT: Final = b"v1/chat/completions"


class CompletionsDialect(TellsAsChat):
    """Implements dialects.base.SpokenByBoth. Its streams are Chat's but for what a choice holds."""

    name = "completions"
    media_type = ChatDialect.media_type
    keepalive = ChatDialect.keepalive

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> request.CompletionHead:
        return request.read_request(body, envelope)

    def read_answer(self, body: bytes) -> Answer:
        return answers.read_answer(body)

    def watch(self, *, drop_usage: bool) -> ChatStreamWatcher:
        return ChatStreamWatcher(drop_usage=drop_usage)

    def stream_of(self, answer: Answer, *, include_usage: bool) -> bytes:
        return answers.stream_of(answer, include_usage=include_usage)

    def answer_of(self, stream: bytes) -> Answer:
        return answers.answer_of(stream)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """A model that only holds conversations is told of as one that is not there."""
        if status == _NOT_FOUND and _CHAT in body:
            return provider_errors.read_callers_mistake(status, headers, body)
        return provider_errors.read_error(status, headers, body)
