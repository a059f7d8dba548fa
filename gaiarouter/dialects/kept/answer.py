"""An answer that its provider keeps: passed through, but for the handle under which the caller may ask for it again."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gaiarouter.dialects.base import Answer, Conversion, Pieces, RequestHead, StreamWatcher
from gaiarouter.dialects.kept.handles import Marking, marked_answer, marked_event
from gaiarouter.dialects.responses.chunks import ResponsesStreamWatcher
from gaiarouter.errors import UpstreamError


def is_kept(request: RequestHead) -> bool:
    """Whether a provider that keeps answers keeps that of this request: it does unless it is told not to."""
    return bytes(request.member("store") or b"") != b"false"


class KeptAnswer:
    """Implements dialects.base.Conversion. passed: as it would be without handles."""

    dropped: tuple[str, ...] = ()

    def __init__(self, passed: Conversion, marking: Marking) -> None:
        self._passed = passed
        self._marking = marking
        self.headers: Mapping[str, str] = passed.headers

    @property
    def body(self) -> bytes | Pieces:
        return self._passed.body

    def watch(self) -> StreamWatcher:
        return ResponsesStreamWatcher(told=lambda event, data: marked_event(event, data, self._marking))

    def read_answer(self, body: bytes) -> Answer:
        return self._marked(self._passed.read_answer(body))

    def answer_of(self, stream: bytes) -> Answer:
        return self._marked(self._passed.answer_of(stream))

    def stream_of(self, body: bytes) -> tuple[bytes, Answer]:
        marked = self.read_answer(body)
        return self._passed.stream_of(marked.body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return self._passed.read_error(status, headers, body)

    def _marked(self, answer: Answer) -> Answer:
        return replace(answer, body=marked_answer(answer.body, self._marking))
