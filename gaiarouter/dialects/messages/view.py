"""How one caller sees an answer: what it asked for, and the words of Messages for what the canonical form says."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import Finish, Reason
from gaiarouter.canonical.parts import Citation, Reasoning, Sealed, ToolCall
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.messages.blocks import DIALECT, THINKING_FORMAT
from gaiarouter.dialects.messages.foreign import Wrapped, wrap, wrapped
from gaiarouter.dialects.messages.usage import write_usage

_PREFIX = "msg_"
_STOP_REASONS: dict[Reason, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context_length": "model_context_window_exceeded",
    "tool_calls": "tool_use",
    "refusal": "refusal",
    "content_filter": "refusal",
    "pause": "pause_turn",
    "other": "end_turn",
    "error": "end_turn",
}


class AnswerView(Struct, frozen=True, kw_only=True):
    """fallback_id: for an answer that has no id. model: shown in place of the provider's. input_tokens: estimated, for
    the start of a stream, when the provider has not said yet. shows_thinking: the caller switched it on."""

    fallback_id: str
    input_tokens: int = 0
    model: str | None = None
    shows_thinking: bool = True

    def id_of(self, provider_id: str) -> str:
        """The same for the same answer: a provider's `chatcmpl-01Ab` is `msg_01Ab`."""
        if not provider_id:
            return self.fallback_id
        if provider_id.startswith(_PREFIX):
            return provider_id
        return _PREFIX + (provider_id.partition("-")[2] or provider_id)


def view_of(request: CanonicalRequest, *, answer_id: str, input_tokens: int, model: str | None = None) -> AnswerView:
    return AnswerView(
        fallback_id=_PREFIX + answer_id,
        input_tokens=input_tokens,
        model=model,
        shows_thinking=request.thinking.visible != "omit",
    )


def ending(finish: Finish) -> dict[str, Any]:
    """The members that say why the answer ended."""
    reason, sequence = _STOP_REASONS[finish.reason], finish.stop_sequence
    if reason == "stop_sequence" and sequence is None:
        reason = "end_turn"
    said: dict[str, Any] = {"stop_reason": reason, "stop_sequence": sequence}
    if reason == "refusal":
        explanation = finish.explanation
        if explanation is None and finish.reason == "content_filter":
            explanation = finish.native
        said["stop_details"] = {"type": "refusal", "category": finish.category, "explanation": explanation}
    return said


def first_usage(usage: Usage | None, view: AnswerView) -> dict[str, Any]:
    """Clients draw their meters from the start of a stream: an estimate until the provider has counted."""
    return write_usage(usage or Usage(in_uncached=view.input_tokens))


def text_block(text: str, citations: tuple[Citation, ...] = ()) -> dict[str, Any]:
    own = [citation.raw for citation in citations if citation.dialect == DIALECT]
    return {"type": "text", "text": text} | ({"citations": own} if own else {})


def thinking_block(part: Reasoning) -> dict[str, Any]:
    """Signed by whoever made it; what is another's goes into a signature of the gateway's own."""
    text = "".join((*part.visible, *part.summary))
    own = next((each for each in part.sealed if each.format == THINKING_FORMAT), None)
    if own is not None and own.kind == "redacted":
        return {"type": "redacted_thinking", "data": own.data}
    if part.format == THINKING_FORMAT:
        return {"type": "thinking", "thinking": text, "signature": own.data if own else ""}
    signature = wrap(wrapped(part, part.sealed, is_summary=bool(part.summary) and not part.visible))
    return {"type": "thinking", "thinking": text, "signature": signature}


def seal_block(sealed: Sealed, *, call_id: str | None) -> dict[str, Any]:
    """Thinking without text, that carries the seal of what stands beside it: of a call, else of the text before."""
    on = Wrapped(on="call" if call_id is not None else "text", sealed=(sealed,), call_id=call_id)
    return {"type": "thinking", "thinking": "", "signature": wrap(on)}


def tool_use(call: ToolCall, *, call_id: str, input_: Raw) -> dict[str, Any]:
    body = {"type": "tool_use", "id": call_id, "name": call.name, "input": input_}
    return body | ({"caller": call.invoked_by} if call.invoked_by is not None else {})


def input_of(call: ToolCall) -> Raw | None:
    """What a call was given, as the object it must be; None where it is none, cut short by a limit for instance."""
    if call.kind == "custom":
        return Raw(msgspec.json.encode({"input": call.arguments}))
    text = call.arguments.strip()
    if text in ("", "null"):
        return Raw(b"{}")
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Raw(text.encode())


def is_callers(call: ToolCall) -> bool:
    """To be run by the caller: it must not see those that the provider runs."""
    return call.kind in ("function", "custom")


class CallIds:
    """Ids of calls within one answer: never empty, never twice."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self.last = ""

    def of(self, call: ToolCall) -> str:
        wanted = call.call_id
        if not wanted or wanted in self._given:
            wanted = f"toolu_gw_{len(self._given)}"
        self._given.add(wanted)
        self.last = wanted
        return wanted
