"""Errors of the Messages format: an HTTP answer, or the `error` event of a stream."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import orjson

from gaiarouter.dialects.chat import provider_errors
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.rendering import clip
from gaiarouter.errors import GatewayError, Overloaded, Rejected, TimedOut, Unavailable, UpstreamError

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

_TYPES = {status: kind for kind, status in _STATUS.items()}
_TOO_LONG = "prompt is too long"
_MAX_ID_CHARS = 128


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


def status_of(error: GatewayError) -> int:
    """Clients know an overload by 529."""
    return 529 if _type_of(error) == "overloaded_error" else error.status


def error_body(error: GatewayError, request_id: str) -> bytes:
    """A provider's own refusal goes on as it came where it may: clients decide by its sentences what to do next."""
    if isinstance(error, Rejected) and error.body is not None:
        return error.body
    return _rendered(error, request_id)


def error_event(error: GatewayError, request_id: str) -> bytes:
    """No `message_stop` follows it."""
    return b"event: error\ndata: " + _rendered(error, request_id) + b"\n\n"


def _rendered(error: GatewayError, request_id: str) -> bytes:
    said = {"type": _type_of(error), "message": _message(error)}
    return orjson.dumps({"type": "error", "error": said, "request_id": request_id[:_MAX_ID_CHARS]})


def _message(error: GatewayError) -> str:
    """Clients that can shorten a conversation know by these words that they must."""
    message = clip(error.message)
    too_long = isinstance(error, Rejected) and error.condition == "context_length"
    return f"{_TOO_LONG}: {message}" if too_long and not message.startswith(_TOO_LONG) else message


def _type_of(error: GatewayError) -> str:
    if isinstance(error, Overloaded) or (isinstance(error, Unavailable) and error.code == "overloaded"):
        return "overloaded_error"
    if isinstance(error, TimedOut):
        return "timeout_error"
    return _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
