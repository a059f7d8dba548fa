"""Embeddings as callers speak it."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.base import BARE, Envelope, WindowView
from gaiarouter.dialects.chat import errors
from gaiarouter.dialects.embeddings import request
from gaiarouter.dialects.windows import window_headers
from gaiarouter.errors import GatewayError


class EmbeddingsDialect:
    """Implements dialects.base.Dialect. Nothing of it is streamed."""

    name = "embeddings"
    media_type = "application/json"
    keepalive = b""
    id_header = "x-request-id"

    def read_request(self, body: bytes, envelope: Envelope = BARE) -> request.EmbeddingHead:
        return request.read_request(body, envelope)

    def status_of(self, error: GatewayError) -> int:
        return error.status

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        return errors.error_body(error, request_id)

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        return errors.error_event(error, request_id)

    def window_headers(self, name: str, window: WindowView) -> Mapping[str, str]:
        return window_headers(name, window)
