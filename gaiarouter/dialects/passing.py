"""Caller and target speak the same dialect: the caller's own JSON goes on, and the answer's bytes come back."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.base import Answer, RequestHead, SpokenByBoth, StreamWatcher
from gaiarouter.errors import UpstreamError


class PassThrough:
    """Implements dialects.base.Conversion. ask_usage: the target streams usage only if it is asked to."""

    dropped: tuple[str, ...] = ()

    def __init__(self, dialect: SpokenByBoth, request: RequestHead, *, model: str, ask_usage: bool) -> None:
        self._dialect = dialect
        self._request = request
        self._model = model
        self._ask_usage = ask_usage and request.stream and not request.include_usage
        self.headers = request.forwarded

    @property
    def body(self) -> bytes:
        """Made anew, and not kept: an open stream would hold the prompt twice."""
        return self._request.body_for(model=self._model, ask_usage=self._ask_usage)

    def watch(self) -> StreamWatcher:
        return self._dialect.watch(drop_usage=self._ask_usage)

    def read_answer(self, body: bytes) -> Answer:
        return self._dialect.read_answer(body)

    def answer_of(self, stream: bytes) -> Answer:
        return self._dialect.answer_of(stream)

    def stream_of(self, body: bytes) -> tuple[bytes, Answer]:
        answer = self._dialect.read_answer(body)
        return self._dialect.stream_of(answer, include_usage=self._request.include_usage), answer

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return self._dialect.read_error(status, headers, body)
