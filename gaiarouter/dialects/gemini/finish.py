"""Why an answer ended, in the words of the Gemini format."""

from __future__ import annotations

from gaiarouter.canonical.events import Finish, Reason
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.redaction import message_of
from gaiarouter.errors import Failed

BLOCKED = "The prompt was blocked by the provider's filter."
_REASONS: dict[str, Reason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "MODEL_ARMOR", "ESCALATION"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "PUP_LIMITED_DISABLED"),
        ),
        "content_filter",
    ),
    **dict.fromkeys(
        (
            *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
            "MISSING_THOUGHT_SIGNATURE",
        ),
        "error",
    ),
}
# the order of the enumeration, for servers that send its numbers
_NUMBERED = (
    *("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST"),
    *("PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL"),
    *("TOO_MANY_TOOL_CALLS", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION"),
)
_UNEXPECTED = "UNEXPECTED_TOOL_CALL"
_LOST_SIGNATURE = "MISSING_THOUGHT_SIGNATURE"


def is_word(native: str) -> bool:
    """Whether the format has this word for an ending."""
    return native in _REASONS or native in _NUMBERED


def finish_of(native: str | int | None, *, message: str | None, calls: bool, all_declared: bool, choice: int) -> Finish:
    """calls: functions were called; all_declared: none that the model was not told of. A model that calls says `STOP`
    all the same. Raises Failed where what the model made is of no use."""
    if isinstance(native, int):
        native = _NUMBERED[native] if 0 <= native < len(_NUMBERED) else str(native)
    reason = _REASONS.get(native or "", "other")
    if calls and (reason in ("stop", "other") or (native == _UNEXPECTED and all_declared)):
        reason = "tool_calls"
    if reason == "error":
        raise _unusable(native, message)
    explanation = message if reason == "content_filter" else None
    return Finish(reason=reason, native=native, explanation=explanation, choice=choice)


def blocked(feedback: wire.PromptFeedback, choice: int) -> Finish:
    """The prompt did not pass a filter: there is no answer."""
    explanation = feedback.block_reason_message or BLOCKED
    return Finish(reason="content_filter", native=str(feedback.block_reason), explanation=explanation, choice=choice)


def _unusable(native: str | None, message: str | None) -> Failed:
    told = f": {message_of(message)}" if message else ""
    error = Failed(f"The model's output was unusable ({native}){told}", outcome="bad_response")
    error.retryable = native != _LOST_SIGNATURE
    return error
