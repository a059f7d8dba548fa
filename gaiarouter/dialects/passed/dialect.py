"""An operation of this folder, as callers speak it."""

from __future__ import annotations

from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.chat.dialect import ChatDialect
from gaiarouter.dialects.chat.telling import TellsAsChat
from gaiarouter.dialects.passed.operations import Operation
from gaiarouter.dialects.passed.request import PassedHead, read_request


class PassedDialect(TellsAsChat):
    """Implements dialects.base.Dialect. Its media type and keep-alive are those of the streams that targets make of
    it."""

    media_type = ChatDialect.media_type
    keepalive = ChatDialect.keepalive

    def __init__(self, operation: Operation) -> None:
        self.name = operation.name
        self._operation = operation

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> PassedHead:
        return read_request(body, self._operation)
