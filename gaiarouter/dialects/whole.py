"""Operations that are answered as a whole, always."""

from __future__ import annotations

from typing import NoReturn

from gaiarouter.dialects.base import Answer, StreamWatcher
from gaiarouter.errors import BadAnswer


class NeverStreams:
    """The part of dialects.base.Conversion that is about streams, for conversions of such operations."""

    def watch(self) -> StreamWatcher:
        self._streamed()

    def answer_of(self, stream: bytes) -> Answer:
        self._streamed()

    def stream_of(self, body: bytes) -> tuple[bytes, Answer]:
        self._streamed()

    def _streamed(self) -> NoReturn:
        raise BadAnswer("The provider answered with a stream where there is none")
