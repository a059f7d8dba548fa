"""Errors as a Chat caller reads them: a body, or the last event of a stream."""

from __future__ import annotations

import orjson

from gaiarouter.dialects.sse import write_event
from gaiarouter.errors import GatewayError, Rejected

MAX_MESSAGE_BYTES = 1024
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
                "message": _clip(error.message),
                "type": error.type,
                "param": error.param and error.param[:_MAX_FIELD_CHARS],
                "code": error.code,
            },
            "request_id": request_id[:_MAX_FIELD_CHARS],
        }
    )


def _clip(message: str) -> str:
    """Up to 1 KiB of UTF-8. Control characters and lone surrogates go: escaped, they would be six times as long."""
    printable = "".join(character if character.isprintable() else " " for character in message[:MAX_MESSAGE_BYTES])
    return printable.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")
