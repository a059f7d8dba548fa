"""One such request on its way to one target, and its answer on the way back."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Answer, StreamWatcher
from gaiarouter.dialects.chat.provider_errors import read_error
from gaiarouter.dialects.passed.answer import read_answer
from gaiarouter.dialects.passed.request import PassedHead
from gaiarouter.dialects.passed.watching import ByteWatcher, EventWatcher
from gaiarouter.dialects.whole import NeverStreams
from gaiarouter.errors import UpstreamError

_EVENTS = "text/event-stream"
_JSON = "application/json"
_ANYTHING: Mapping[str, str] = {"accept": "*/*"}


class Passed(NeverStreams):
    """Implements dialects.base.Conversion. Whether its answer is a stream, the target says: see `passing`."""

    dropped: tuple[str, ...] = ()

    def __init__(self, head: PassedHead, *, model: str) -> None:
        self._operation = head.operation
        self._otherwise = Usage(
            in_uncached=head.estimated_input_tokens(), estimated=True, units=dict(head.units) or None
        )
        self.headers = _ANYTHING if head.operation.bytes else head.forwarded
        self.body = head.body_for(model=model, ask_usage=False)

    def passing(self, media_type: str) -> StreamWatcher | None:
        """What reads an answer of this type while it goes by; None where it must be whole, for `read_answer`."""
        if media_type == _EVENTS:
            return EventWatcher(self._otherwise)
        return ByteWatcher(self._otherwise) if self._operation.bytes and media_type != _JSON else None

    def read_answer(self, body: bytes) -> Answer:
        return read_answer(body, otherwise=self._otherwise, pictures=self._operation.name.startswith("images"))

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
