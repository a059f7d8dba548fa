"""Errors of the Gemini format: an HTTP answer, an event of a stream, or bare JSON in one; often in a list of one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from gaiarouter.dialects.chat import provider_errors
from gaiarouter.dialects.gemini import wire
from gaiarouter.errors import UpstreamError

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
