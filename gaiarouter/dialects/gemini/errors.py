"""Errors of the Gemini format: an HTTP answer, an event of a stream, or bare JSON in one; often in a list of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from msgspec import Raw

from gaiarouter.dialects.chat import provider_errors
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.rendering import clip
from gaiarouter.errors import GatewayError, KeyRefused, QuotaSpent, Rejected, UpstreamError

# the statuses that the API gives to its words, for errors inside a stream that come without one
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TOO_LONG = "exceeds the maximum number of tokens allowed"


class _Error(msgspec.Struct):
    code: int | None = None
    status: str | None = None


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The meaning of an answer with `status` >= 400. Never raises."""
    return provider_errors.read_error(status, headers, body)


def read_error_in_answer(body: bytes) -> UpstreamError:
    """The meaning of an error object inside a 200, whole or as a stream's event. Never raises."""
    try:
        error = msgspec.json.decode(error_in(body) or b"{}", type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    status = error.code or _STATUS.get(error.status or "", 0)
    if 400 <= status <= 599:
        return provider_errors.read_error(status, {}, body)
    return provider_errors.read_error_in_answer(body)


def error_in(body: bytes | Raw) -> Raw | None:
    """The error object that an answer is, if it is one."""
    try:
        raw: bytes | Raw = body
        if bytes(raw).lstrip().startswith(b"["):
            listed = wire.decode_list(raw)
            raw = listed[0] if listed else b"{}"
        found = msgspec.json.decode(raw, type=_Holder).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if wire.is_given(found) else None


class _Holder(msgspec.Struct):
    error: Raw = wire.ABSENT


def error_body(error: GatewayError, request_id: str) -> bytes:
    """A provider's own refusal goes on as it came where it may."""
    if isinstance(error, Rejected) and error.body is not None:
        return error.body
    return orjson.dumps({"error": _told(error)})


def error_event(error: GatewayError, request_id: str) -> bytes:
    """Nothing follows it: official clients raise on the `error` member."""
    told = _told(error)
    del told["details"]
    return b"data: " + orjson.dumps({"error": told}) + b"\r\n\r\n"


def _told(error: GatewayError) -> dict[str, Any]:
    details: list[dict[str, Any]] = []
    if error.retry_after_s is not None:
        delay = f"{error.retry_after_s:.3f}".rstrip("0").rstrip(".") + "s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {"code": error.status, "message": _message(error), "status": _word(error), "details": details}


def _word(error: GatewayError) -> str:
    match error:
        case QuotaSpent():
            return "UNAVAILABLE"
        case KeyRefused():
            return "INTERNAL"
        case _:
            return _WORDS.get(error.status, "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")


def _message(error: GatewayError) -> str:
    """Clients that can shorten a conversation know by these words that they must."""
    message = clip(error.message)
    too_long = isinstance(error, Rejected) and error.condition == "context_length"
    return f"The input token count {_TOO_LONG}: {message}" if too_long and _TOO_LONG not in message else message
