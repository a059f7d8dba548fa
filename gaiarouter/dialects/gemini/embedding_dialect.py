"""Vectors as Google's clients ask for them."""

from __future__ import annotations

from typing import Final

from gaiarouter.dialects.base import BARE, Envelope
from gaiarouter.dialects.gemini.dialect import TellsAsGemini
from gaiarouter.dialects.gemini.embedding_request import GeminiEmbeddingHead, read_request

SINGLE: Final = "gemini.embedding"
BATCH: Final = "gemini.embeddings"


class GeminiEmbeddingDialect(TellsAsGemini):
    """Implements dialects.base.Dialect. name: one of the two above. Nothing of it is streamed."""

    media_type = "application/json"
    keepalive = b""

    def __init__(self, name: str) -> None:
        self.name = name

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> GeminiEmbeddingHead:
        return read_request(body, envelope, batch=self.name == BATCH)
