"""How clients of the formats around Chat are told of errors, limits and ids: all of one vendor's, and all alike."""

from __future__ import annotations

from gaiarouter.dialects.chat import errors
from gaiarouter.dialects.windows import window_headers
from gaiarouter.errors import GatewayError


class TellsAsChat:
    """The part of dialects.base.Dialect that says nothing of models."""

    id_header = "x-request-id"

    def status_of(self, error: GatewayError) -> int:
        return error.status

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        return errors.error_body(error, request_id)

    def error_event(self, error: GatewayError, request_id: str, number: int = 0) -> bytes:
        return errors.error_event(error, request_id)

    window_headers = staticmethod(window_headers)
