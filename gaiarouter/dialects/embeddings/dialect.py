"""Embeddings as callers speak it."""

from __future__ import annotations

from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.chat.telling import TellsAsChat
from gaiarouter.dialects.embeddings import request


class EmbeddingsDialect(TellsAsChat):
    """Implements dialects.base.Dialect. Nothing of it is streamed."""

    name = "embeddings"
    media_type = "application/json"
    keepalive = b""

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> request.EmbeddingHead:
        return request.read_request(body, envelope)
