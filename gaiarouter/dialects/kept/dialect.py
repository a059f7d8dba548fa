"""Requests for what was kept, as callers make them."""

from __future__ import annotations

from urllib.parse import parse_qs

from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.kept.request import KEPT, KeptHead, kept_head
from gaiarouter.dialects.responses.dialect import ResponsesDialect, TellsAsResponses


class KeptDialect(TellsAsResponses):
    """Implements dialects.base.Dialect: its clients are those of Responses."""

    name = KEPT
    media_type = ResponsesDialect.media_type
    keepalive = ResponsesDialect.keepalive

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> KeptHead:
        path, _, query = envelope.path.partition("?")
        handle, _, under = path.partition("/")
        return kept_head(envelope.method, handle, under, parse_qs(query, keep_blank_values=True))
