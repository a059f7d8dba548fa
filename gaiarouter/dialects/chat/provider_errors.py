"""What an error of a provider that speaks Chat means: its shapes become one, then the first rule that matches decides.

Nothing is read out of digits in a text: a 400 whose message quotes a "429" is still a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import orjson
from msgspec import Raw

from gaiarouter.dialects.redaction import message_of, redact
from gaiarouter.dialects.waiting import retry_after_s
from gaiarouter.errors import (
    Failed,
    KeyRefused,
    Overloaded,
    QuotaSpent,
    Rejected,
    Throttled,
    TimedOut,
    UpstreamError,
)

MAX_SHOWN_BODY_BYTES = 4096

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "insufficient_user_quota",
        "billing_error",
        "billing_hard_limit_reached",
        "insufficient_balance",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
    }
)
_QUOTA_TEXTS = (
    "insufficient balance",
    "you have reached your specified api usage limits",
    "free-models-per-day",
    "exceeded your current quota",
)
_NO_QUOTA_TEXTS = ("limit: 0",)
_KEY_CODES = frozenset(
    {
        "invalid_api_key",
        "api_key_invalid",
        "organization_on_hold",
        "authentication_error",
        "unauthenticated",
    }
)
_KEY_TEXTS = ("incorrect api key", "invalid api key", "api key not valid", "user location is not supported")
_POLICY_CODES = frozenset(
    {
        "content_policy_violation",
        "content_filter",
        "invalid_prompt",
        "image_content_policy_violation",
        "bio_policy",
        "misalignment_policy_violation",
        "responsibleaipolicyviolation",
    }
)
_POLICY_TEXTS = (
    "rejected as a result of our safety system",
    "content management policy",
    "blocked by content filtering policy",
    "responsible ai",
    "safety settings",
)
_CONTEXT_TEXTS = (
    "prompt is too long",
    "exceed context limit",
    "maximum context length",
    "context length is only",
    "maximum input length of",
    "is longer than the model's context length",
    "input tokens exceed the configured limit",
    "exceeds the maximum number of tokens allowed",
    "input is too long for requested model",
    "too many input tokens",
    "exceeds the available context size",
    "`inputs` tokens + `max_new_tokens` must be",
    "length of all messages is too long",
    "reduce the length of the messages",
)
_NOT_THE_CONTEXT = ("'user'", "safety_identifier", "tool_call_id", "metadata", "tools[", "per min", "tpm")
_RATE_CODES = frozenset(
    {
        "rate_limit_exceeded",
        "rate_limit_error",
        "slow_down",
        "ramp_limit_exceeded",
        "resource_exhausted",
    }
)
_OVERLOAD_CODES = frozenset({"overloaded_error", "server_is_overloaded", "unavailable", "overloaded"})
_MISSING_CODES = frozenset(
    {
        "model_not_found",
        "invalid_model",
        "deploymentnotfound",
        "not_found",
        "not_found_error",
    }
)
_MODEL_FAILURE_CODES = frozenset({"tool_use_failed", "modelerror", "modelstreamerror"})
_TIMEOUT_CODES = frozenset({"timeout_error", "deadline_exceeded", "timeout"})


@dataclass(frozen=True, slots=True)
class ProviderError:
    """A provider's error, whatever its shape. codes: its `code`, `type` and `status`, in lower case."""

    status: int
    message: str
    codes: frozenset[str]
    code: str | None
    param: str | None
    object: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes

    @property
    def lower(self) -> str:
        return self.message.lower()

    def says(self, texts: tuple[str, ...]) -> bool:
        lower = self.lower
        return any(text in lower for text in texts)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The meaning of an answer with `status` >= 400. Never raises."""
    return _classify(_parse(status, headers, _decode(body), body))


def read_callers_mistake(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """As read_error, where such a status is known to be the caller's own mistake: it goes back with the provider's
    words."""
    error = read_error(400, headers, body)
    if isinstance(error, Rejected):
        error.status = error.provider_status = status
    return error


def read_error_in_answer(body: bytes) -> UpstreamError:
    """The meaning of an error object inside a 200, whole or as a stream's event: its `code` is the status."""
    value = _decode(body)
    found = _parse(0, {}, value, b"")
    code = found.object.get("status_code") or found.object.get("code")
    status = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 0
    return _classify(_parse(status if 400 <= status <= 599 else 0, {}, value, b""))


def _decode(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def _parse(status: int, headers: Mapping[str, str], value: object, body: bytes) -> ProviderError:
    if isinstance(value, list):
        value = value[0] if value else ""  # Google wraps its object in a list of one
    outer: dict[str, Any] = value if isinstance(value, dict) else {}
    inner = outer.get("error")
    found: dict[str, Any] = inner if isinstance(inner, dict) else outer
    message = _message(found, outer, value)
    codes = frozenset(
        str(found[name]).lower() for name in ("code", "type", "status") if isinstance(found.get(name), str)
    ) | frozenset(_inner_codes(found))
    code, param = found.get("code"), found.get("param")
    return ProviderError(
        status=status,
        message=message,
        codes=codes,
        code=code if isinstance(code, str) and _is_slug(code) else None,
        param=param if isinstance(param, str) and len(param) <= 128 else None,
        object=found,
        headers=headers,
        body=body,
    )


def _message(found: Mapping[str, Any], outer: Mapping[str, Any], value: object) -> str:
    candidates = (found.get("message"), outer.get("error"), outer.get("message"), outer.get("detail"), value)
    for candidate in candidates:
        if isinstance(candidate, str) and candidate.strip():
            return "" if candidate.lstrip().startswith("<") else candidate[:8192]
    detail = outer.get("detail") or found.get("message")
    first = detail[0] if isinstance(detail, list) and detail else detail
    if isinstance(first, dict) and isinstance(first.get("msg"), str):
        where = ".".join(str(step) for step in first.get("loc", ()) if step != "body")
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    return ""


def _inner_codes(found: Mapping[str, Any]) -> list[str]:
    """Codes one level down: Azure's `innererror`, Google's `details`, OpenRouter's `metadata`."""
    inner, details, metadata = found.get("innererror"), found.get("details"), found.get("metadata")
    values: list[Any] = []
    if isinstance(inner, dict):
        values.append(inner.get("code"))
    if isinstance(metadata, dict):
        values.append(metadata.get("error_type"))
        values.append("moderation" if metadata.get("reasons") else None)
    if isinstance(details, dict):
        values.append(details.get("error_code"))
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            values.append(detail.get("reason"))
            values += ["insufficient_quota" for hit in detail.get("violations") or () if "PerDay" in str(hit)]
    return [value.lower() for value in values if isinstance(value, str)]


def _is_slug(code: str) -> bool:
    return len(code) <= 64 and code.replace("_", "").isalnum() and code[0].isalpha()


def _classify(found: ProviderError) -> UpstreamError:
    error = _by_meaning(found) or _by_status(found)
    error.provider_status = found.status or None
    return error


def _by_meaning(found: ProviderError) -> UpstreamError | None:
    codes, status = found.codes, found.status
    if codes & _QUOTA_CODES or (status in (0, 400, 402, 403, 429) and _says_quota(found)):
        return QuotaSpent("The provider's quota for this gateway is used up")
    if status == 401 or codes & _KEY_CODES or (status in (0, 400, 403) and found.says(_KEY_TEXTS)):
        return _key_refused()
    if _is_context_length(found):
        return _rejected(found, condition="context_length")
    if codes & _POLICY_CODES or "moderation" in codes or (status in (0, 400, 403) and found.says(_POLICY_TEXTS)):
        return _rejected(found, condition="content_policy")
    if codes & _RATE_CODES:
        return _throttled(found)
    if codes & _OVERLOAD_CODES:
        return _overloaded(found)
    if codes & _MISSING_CODES:
        return _missing()
    if codes & _MODEL_FAILURE_CODES:
        return Failed(_text(found, "The model's output was unusable"), outcome="bad_response")
    if codes & _TIMEOUT_CODES:
        return _timed_out()
    return None


def _says_quota(found: ProviderError) -> bool:
    """Google's servers call the limit of a minute a quota too; only a limit of nothing is none to wait for."""
    return found.says(_NO_QUOTA_TEXTS) or ("resource_exhausted" not in found.codes and found.says(_QUOTA_TEXTS))


def _is_context_length(found: ProviderError) -> bool:
    if "context_length_exceeded" in found.codes or "too_many_prompt_tokens" in found.codes:
        return True
    if "string_above_max_length" in found.codes:
        return (found.param or "").startswith("messages")
    if found.param == "input_tokens":
        return True
    if found.status not in (0, 400, 403, 413, 422, 500) or found.says(_NOT_THE_CONTEXT):
        return False
    lower = found.lower
    return (
        found.says(_CONTEXT_TEXTS)
        or ("context window" in lower and "exceed" in lower)
        or ("current length is" in lower and "while limit is" in lower)
    )


def _by_status(found: ProviderError) -> UpstreamError:
    match found.status:
        case 402 if (wait := _wait(found)) is not None:
            # OpenRouter: credits are held by requests under way, and come back
            return Throttled("The provider has too many requests of this gateway under way", retry_after_s=wait)
        case 402 | 403:
            return _key_refused()
        case 404:
            return _missing()
        case 408 | 504 | 524:
            return _timed_out()
        case 413 if found.says(("per min", "tpm")):
            return _throttled(found)
        case 429:
            return _throttled(found)
        case 498 | 503 | 529:
            return _overloaded(found)
        case 424:
            return Failed(_text(found, "The model's output was unusable"), outcome="http_4xx")
        case status if 400 <= status < 500:
            return _rejected(found, condition=None)
        case 0:
            return Failed(_text(found, "The provider sent an error inside its answer"), outcome="bad_response")
        case status:
            return Failed(_text(found, f"The provider answered {status}"))


def _rejected(found: ProviderError, *, condition: Literal["context_length", "content_policy"] | None) -> Rejected:
    status, code, param = found.status, found.code, found.param
    if condition == "context_length":
        status, code, param = 400, "context_length_exceeded", "messages"
    elif condition == "content_policy":
        status, code = 400, "content_policy_violation"
    return Rejected(
        _text(found, f"The provider refused the request with {status}"),
        status=status,
        code=code,
        param=param,
        body=_shown_body(found),
        condition=condition,
    )


def _throttled(found: ProviderError) -> Throttled:
    error = Throttled("The provider limits the rate of this gateway's requests", retry_after_s=_wait(found))
    if found.says(("request too large",)) or found.status == 413:
        error.retryable = False  # larger than the window itself: waiting never helps, another target may
    return error


def _overloaded(found: ProviderError) -> Overloaded:
    return Overloaded(_text(found, "The provider is overloaded"), retry_after_s=_wait(found))


def _key_refused() -> KeyRefused:
    return KeyRefused("The provider refused this gateway's credentials")


def _missing() -> Failed:
    error = Failed("The provider does not know this model, or not for this gateway's key", outcome="http_4xx")
    error.retryable = False
    error.counts_against_target = False
    return error


def _timed_out() -> TimedOut:
    error = TimedOut("The provider gave up waiting for its model", phase="first_byte")
    error.outcome = "http_5xx"
    error.retryable = True  # unlike silence, this is an answer, and another may be better
    return error


def _wait(found: ProviderError) -> float | None:
    return retry_after_s(found.headers, found.object, found.message)


def _text(found: ProviderError, otherwise: str) -> str:
    return message_of(found.message) or otherwise


def _shown_body(found: ProviderError) -> bytes | None:
    """The provider's own body, if a caller can read it and nothing in it must be hidden. The provider's id of the
    request looks like a secret and is none: it is what its support asks for."""
    if not found.body or len(found.body) > MAX_SHOWN_BODY_BYTES:
        return None
    try:
        found.body.decode()  # the decoder skips what it does not read, broken UTF-8 too
        shape = msgspec.json.decode(found.body, type=dict[str, Raw])
        texts = [f"{name} {bytes(value).decode()}" for name, value in shape.items() if name != "request_id"]
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return None
    is_error = bytes(shape.get("error", b"")).startswith(b"{")
    return found.body if is_error and all(redact(text) == text for text in texts) else None
