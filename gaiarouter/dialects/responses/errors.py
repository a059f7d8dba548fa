"""Errors of the Responses format: as callers read them, and as providers send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.dialects.chat import provider_errors
from gaiarouter.dialects.rendering import clip
from gaiarouter.errors import GatewayError, Rejected, UpstreamError

_MAX_FIELD_CHARS = 128


def error_body(error: GatewayError, request_id: str) -> bytes:
    """At most 4 KiB. A provider's own refusal goes on as it came where it may."""
    if isinstance(error, Rejected) and error.body is not None:
        return error.body
    return msgspec.json.encode({"error": _told(error), "request_id": request_id[:_MAX_FIELD_CHARS]})


def error_event(error: GatewayError, request_id: str, number: int = 0) -> bytes:
    """The API's own `error` event is flat, and official clients hand it on like any other; what stands in `error`
    beside makes them raise, so that nobody takes a stream that broke off for a whole answer."""
    told = _told(error)
    flat = {name: told[name] for name in ("code", "message", "param")}
    shown = request_id[:_MAX_FIELD_CHARS]
    body = {"type": "error", **flat, "sequence_number": number, "error": told, "request_id": shown}
    return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"


def _told(error: GatewayError) -> dict[str, Any]:
    param = error.param
    if isinstance(error, UpstreamError) and error.condition == "context_length":
        param = "input"  # whatever the target calls it
    return {
        "message": clip(error.message),
        "type": error.type,
        "param": param and clip(param)[:_MAX_FIELD_CHARS],
        "code": error.code,
    }


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The meaning of an answer with `status` >= 400. Never raises."""
    return provider_errors.read_error(status, headers, body)


def read_error_object(error: Raw) -> UpstreamError:
    """The meaning of the `error` of a Response that failed. Never raises."""
    return provider_errors.read_error_in_answer(b'{"error":' + (bytes(error) or b"null") + b"}")


def read_error_event(data: bytes) -> UpstreamError:
    """The meaning of an `error` event, flat or with its error inside. Never raises."""
    return provider_errors.read_error_in_answer(data)
