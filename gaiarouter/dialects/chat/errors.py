"""Errors as a Chat caller reads them: a body, or the last event of a stream."""

from __future__ import annotations

import orjson

from gaiarouter.dialects.rendering import clip
from gaiarouter.dialects.sse import write_event
from gaiarouter.errors import GatewayError, Rejected

_MAX_FIELD_CHARS = 128


def error_body(error: GatewayError, request_id: str) -> bytes:
    """At most 4 KiB. A provider's own refusal goes on as it came where it may."""
    if isinstance(error, Rejected) and error.body is not None:
        return error.body
    return _envelope(error, request_id)


def error_event(error: GatewayError, request_id: str) -> bytes:
    """No `[DONE]` follows it: official clients raise on the `error` member, and take an end without it for success."""
    return write_event(_envelope(error, request_id))


def _envelope(error: GatewayError, request_id: str) -> bytes:
    return orjson.dumps(
        {
            "error": {
                "message": clip(error.message),
                "type": error.type,
                "param": error.param and error.param[:_MAX_FIELD_CHARS],
                "code": error.code,
            },
            "request_id": request_id[:_MAX_FIELD_CHARS],
        }
    )
