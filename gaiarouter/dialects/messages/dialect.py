"""Anthropic's Messages, as callers speak it and as targets of theirs do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gaiarouter.canonical.fold import fold, unfold
from gaiarouter.dialects.base import BARE, Answer, Envelope, WindowView
from gaiarouter.dialects.messages import errors, head, response
from gaiarouter.dialects.messages.chunks import StreamDecoder
from gaiarouter.dialects.messages.encode import encode_answer
from gaiarouter.dialects.messages.encode_events import PING, StreamEncoder
from gaiarouter.dialects.messages.plan import AnswerPlan
from gaiarouter.dialects.messages.view import AnswerView
from gaiarouter.dialects.messages.watcher import MessagesStreamWatcher
from gaiarouter.errors import GatewayError, UpstreamError

_PLAIN = AnswerPlan()
_OWN = AnswerView(fallback_id="")


class MessagesDialect:
    """Implements dialects.base.SpokenByBoth."""

    name = "messages"
    media_type = "text/event-stream; charset=utf-8"
    keepalive = PING
    id_header = "request-id"

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> head.MessagesHead:
        return head.read_request(body, envelope)

    def read_answer(self, body: bytes) -> Answer:
        return response.read_answer(body)

    def watch(self, *, drop_usage: bool) -> MessagesStreamWatcher:
        """Usage is in events that have other news too, so that nothing is dropped."""
        return MessagesStreamWatcher()

    def stream_of(self, answer: Answer, *, include_usage: bool) -> bytes:
        return StreamEncoder(_OWN).encode(unfold(response.decode_answer(answer.body, _PLAIN)))

    def answer_of(self, stream: bytes) -> Answer:
        decoder = StreamDecoder(_PLAIN)
        return self.read_answer(encode_answer(fold([*decoder.feed(stream), *decoder.close()]), _OWN))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return errors.read_error(status, headers, body)

    def status_of(self, error: GatewayError) -> int:
        return errors.status_of(error)

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        return errors.error_body(error, request_id)

    def error_event(self, error: GatewayError, request_id: str, number: int = 0) -> bytes:
        return errors.error_event(error, request_id)

    def window_headers(self, name: str, window: WindowView, now_s: float, /) -> Mapping[str, str]:
        reset = datetime.fromtimestamp(now_s + window.reset_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            f"anthropic-ratelimit-{name}-limit": str(window.limit),
            f"anthropic-ratelimit-{name}-remaining": str(window.remaining),
            f"anthropic-ratelimit-{name}-reset": reset,
        }
