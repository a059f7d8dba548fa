"""Every error the gateway can answer with, as one tree.

    GatewayError
    ├── CallerError             the caller's fault: never retried, never falls back
    │   ├── InvalidRequest      400 invalid_request, or a finer code; `param` is the field's path
    │   ├── Unauthenticated     401 invalid_api_key
    │   ├── Forbidden           403 model_not_allowed
    │   ├── NotFound            404 model_not_found, not_found
    │   ├── Conflict            409 conflict: a name that is taken, a record that is deleted
    │   ├── RequestRefused      405, 408, 411, 413, 414, 415, 417, 431: refused by HTTP's own rules
    │   ├── LimitExceeded       429 rate_limit_exceeded: our limit, not a provider's
    │   └── CallerGone          499, in logs and metrics only
    ├── Unavailable             503 overloaded, draining, no_healthy_upstream, storage_unavailable
    ├── InternalError           500 internal_error: a bug of ours
    └── UpstreamError           the provider's fault, or the operator's: `retryable`, `falls_back`
        ├── Unreachable         502 upstream_connect_error: refused, DNS, TLS
        ├── TimedOut            504 upstream_timeout, deadline_exceeded
        ├── ProtocolBroken      502 upstream_protocol_error: reset, not HTTP, a redirect
        ├── BadAnswer           502 upstream_bad_response, upstream_response_too_large
        ├── Interrupted         502 upstream_stream_interrupted: a stream without its own ending
        ├── KeyRefused          502 upstream_auth_error: 401, 402, 403 from the provider
        │   └── QuotaSpent      503 upstream_quota_exceeded: credits, spend cap or daily quota are gone
        ├── Throttled           429 upstream_rate_limited
        ├── Overloaded          503 upstream_overloaded
        ├── Failed              502 upstream_error: other 5xx, an error inside a 200
        ├── NoRoom              503 overloaded: the gateway itself has no file descriptors left; nothing was sent
        ├── NotServed           400 unsupported_operation: this target has no such operation; nothing was sent
        ├── NotTaken            400 unsupported_parameter: not by this target, and the caller wants who takes all
        ├── MediaNotLoaded      400 media_not_loaded: what stands at a caller's address did not come; nothing was sent
        └── Rejected            the provider blames the caller (400, 413, 422 …): its status and words go back

Three questions have an answer in every class: whose fault, which status and code, may another target be tried.
A message says what was found and what was expected; never a secret, an address of a provider, or more than
64 characters of what the caller sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "timeout_error",
    "api_error",
]


class GatewayError(Exception):
    """Base of the tree.

    status: the HTTP status. code: a slug clients may branch on. param: path of the offending field.
    retry_after_s: when to come back, sent as `retry-after` (rounded up) and `retry-after-ms`.
    should_retry: sent as `x-should-retry`, which the official clients obey; None leaves it to them.
    """

    status: int = 500
    code: str | None = "internal_error"
    type: ErrorType = "api_error"
    source: ClassVar[Literal["gateway", "upstream"]] = "gateway"
    headers: ClassVar[dict[str, str]] = {}
    should_retry: bool | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        if code is not None:
            self.code = code


class CallerError(GatewayError):
    type: ErrorType = "invalid_request_error"


class InvalidRequest(CallerError):
    status, code = 400, "invalid_request"


class Unauthenticated(CallerError):
    status, code = 401, "invalid_api_key"
    type: ErrorType = "authentication_error"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        # one message for absent, malformed, unknown, expired and revoked: the answer must not tell them apart
        super().__init__(
            "No valid API key: send one of this gateway's keys as `Authorization: Bearer sk-gaia-...`. "
            "Keys of providers belong into the gateway's configuration."
        )


class Forbidden(CallerError):
    status, code = 403, "model_not_allowed"
    type: ErrorType = "permission_error"


class NotFound(CallerError):
    status, code = 404, "not_found"


class Conflict(CallerError):
    status, code = 409, "conflict"


class RequestRefused(CallerError):
    """A request that HTTP's own rules refuse; status and code are the caller's of this class to give."""

    def __init__(self, message: str, *, status: int, code: str, allow: str | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.allow = allow


class LimitExceeded(CallerError):
    status, code = 429, "rate_limit_exceeded"
    type: ErrorType = "rate_limit_error"

    def __init__(self, message: str, *, retry_after_s: float | None = None, limit: str | None = None) -> None:
        """retry_after_s: None where no patience helps, and clients are told not to try again. limit: the label of
        `limit_refusals_total`; None where another metric counts it."""
        super().__init__(message, retry_after_s=retry_after_s)
        self.limit = limit
        self.windows: Mapping[str, tuple[int, int, float]] = {}
        """By `requests` and `tokens`: the limit, what remains of it, seconds until it is whole. For the headers of an
        answer to a caller who was not let in."""
        if retry_after_s is None:
            self.should_retry = False


class BudgetExceeded(LimitExceeded):
    """No patience that a client has helps, so it is told not to try again."""

    code = "budget_exceeded"


class CallerGone(CallerError):
    status, code = 499, "client_closed_request"


class Unavailable(GatewayError):
    status, code = 503, "overloaded"


class InternalError(GatewayError):
    pass


class UpstreamError(GatewayError):
    """What went wrong at one target.

    retryable: the same target may be tried again. falls_back: another target may be tried.
    condition: set where a fallback entry's `on:` may reach it (`context_length`, `content_policy`).
    outcome: the `outcome` label of `upstream_attempts_total` (telemetry.OUTCOMES).
    mended: the target would take the same request now: what it refused is written otherwise from here on.
    edits_history: written otherwise, the conversation lacks something that the caller has sent.
    sent: something went to the target. billed_unknown: the provider may charge for the attempt although nothing came
    back.
    """

    status = 502
    code: str | None = "upstream_error"
    source: ClassVar[Literal["gateway", "upstream"]] = "upstream"
    retryable: bool = False
    falls_back: bool = True
    counts_against_target: bool = True
    condition: Literal["context_length", "content_policy"] | None = None
    outcome: str = "http_5xx"
    mended: bool = False
    edits_history: bool = False
    sent: bool = True
    billed_unknown: bool = False
    provider_status: int | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        outcome: str | None = None,
        provider_status: int | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param, retry_after_s=retry_after_s)
        self.provider_status = provider_status
        if outcome is not None:
            self.outcome = outcome


class Unreachable(UpstreamError):
    code, retryable, outcome = "upstream_connect_error", True, "connect_error"


class TimedOut(UpstreamError):
    """`phase` says which time-out: connect, first_byte, idle, total."""

    status, code, billed_unknown = 504, "upstream_timeout", True
    type: ErrorType = "timeout_error"

    def __init__(self, message: str, *, phase: Literal["connect", "first_byte", "idle", "total"]) -> None:
        super().__init__(
            message,
            code="deadline_exceeded" if phase == "total" else None,
            outcome=f"timeout_{phase}",
        )
        self.phase = phase
        self.billed_unknown = phase != "connect"
        # a silent target would only be silent again, and cost the fallback its time
        self.retryable = phase == "connect"
        self.falls_back = phase != "total"


class ProtocolBroken(UpstreamError):
    code, retryable, outcome, billed_unknown = "upstream_protocol_error", True, "protocol_error", True


class BadAnswer(UpstreamError):
    code, retryable, outcome, billed_unknown = "upstream_bad_response", True, "bad_response", True


class Interrupted(UpstreamError):
    code, retryable, outcome, billed_unknown = "upstream_stream_interrupted", True, "reset", True


class KeyRefused(UpstreamError):
    """The provider refused our key: the operator's to mend. Its words may quote the key and are not passed on."""

    code, outcome, should_retry = "upstream_auth_error", "http_401", False


class QuotaSpent(KeyRefused):
    """Nothing is left on this key. Waiting does not help, whatever status the provider dressed it in."""

    status, code, outcome = 503, "upstream_quota_exceeded", "http_429"


class Throttled(UpstreamError):
    status, code, retryable, outcome = 429, "upstream_rate_limited", True, "http_429"
    type: ErrorType = "rate_limit_error"


class Overloaded(UpstreamError):
    status, code, retryable, outcome = 503, "upstream_overloaded", True, "http_5xx"


class Failed(UpstreamError):
    retryable = True


class NoRoom(UpstreamError):
    """A connection could not be made for want of something that is the gateway's own: no other target has it."""

    status, code, falls_back, counts_against_target, sent = 503, "overloaded", False, False, False
    source: ClassVar[Literal["gateway", "upstream"]] = "gateway"


class NotServed(UpstreamError):
    """The target does not do what the caller asks for, so that nothing was sent. Another target may."""

    status, code, counts_against_target, should_retry = 400, "unsupported_operation", False, False
    type: ErrorType = "invalid_request_error"
    source: ClassVar[Literal["gateway", "upstream"]] = "gateway"
    sent = False

    def __init__(self) -> None:
        super().__init__("The model of this name serves no requests of this kind; its provider has no such operation.")


class NotTaken(UpstreamError):
    """The target does not take all that the caller says, who wants nobody else (`require_parameters`)."""

    status, code, counts_against_target, should_retry = 400, "unsupported_parameter", False, False
    type: ErrorType = "invalid_request_error"
    source: ClassVar[Literal["gateway", "upstream"]] = "gateway"
    sent = False

    def __init__(self, path: str | None) -> None:
        where = f"`{path}`" if path else "the request"
        super().__init__(f"{where} is not taken as it is by any of the model's providers", param=path)


class MediaNotLoaded(UpstreamError):
    """The target needs the bytes of a picture or file that the caller named by its address, and the gateway could not
    load them. Another target may load them by itself."""

    status, code, counts_against_target = 400, "media_not_loaded", False
    type: ErrorType = "invalid_request_error"
    source: ClassVar[Literal["gateway", "upstream"]] = "gateway"
    sent = False

    def __init__(self, path: str, host: str, reason: str) -> None:
        """host: of the address, of which nothing else may be told."""
        where = f"what `{host[:64]}` has there" if host else "what stands there"
        super().__init__(f"`{path}`: {where} could not be loaded: {reason}", param=path)


class Rejected(UpstreamError):
    """The provider says that the caller is at fault: its status stays, nothing is tried again.

    body is the provider's own error body, for a caller of the same dialect; None where it may not be shown.
    """

    falls_back, counts_against_target, outcome = False, False, "http_4xx"
    type: ErrorType = "invalid_request_error"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        param: str | None = None,
        body: bytes | None = None,
        condition: Literal["context_length", "content_policy"] | None = None,
    ) -> None:
        super().__init__(message, param=param, provider_status=status)
        self.status = status
        self.code = code  # null where the provider's is no slug of OpenAI's
        self.body = body
        self.condition = condition
