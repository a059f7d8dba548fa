"""Errors of the Messages format: an HTTP answer, or the `error` event of a stream."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gaiarouter.dialects.chat import provider_errors
from gaiarouter.dialects.messages import wire
from gaiarouter.errors import UpstreamError

# the statuses that the API gives to its types, for errors that come without one
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The meaning of an answer with `status` >= 400. Never raises."""
    return provider_errors.read_error(status, headers, body)


def read_error_in_answer(body: bytes) -> UpstreamError:
    """The meaning of an error object inside a 200, whole or as a stream's event. Never raises."""
    try:
        kind = wire.decode_kind(wire.decode_kind(body).error).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = None
    status = _STATUS.get(kind or "")
    if status is None:
        return provider_errors.read_error_in_answer(body)
    return provider_errors.read_error(status, {}, body)
