"""Content blocks of an answer as canonical parts, with the caller's own names of tools."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gaiarouter.canonical.events import Finish, Reason
from gaiarouter.canonical.parts import AnswerPart, CallKind, Citation, Opaque, Reasoning, Sealed, Text, ToolCall
from gaiarouter.canonical.rawjson import compact
from gaiarouter.dialects.messages import wire
from gaiarouter.dialects.messages.blocks import DIALECT, THINKING_FORMAT
from gaiarouter.dialects.messages.plan import AnswerPlan

_REASONS: dict[str | None, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_length",
}
_YIELDS_TO_CALLS = frozenset({"stop", "stop_sequence", "other"})


def read_part(raw: Raw, plan: AnswerPlan) -> AnswerPart:
    """A block as far as it is known, whole or at the start of a stream's. What a hidden or a custom tool is given
    stands as it came: `written_text` reads it when it is complete. Raises msgspec.DecodeError for what is no block."""
    block = wire.decode_block(raw)
    match block.type:
        case "text":
            citations = tuple(map(read_citation, block.citations)) if block.citations else ()
            return Text(text=block.text or "", citations=citations)
        case "thinking":
            sealed = (Sealed("signature", THINKING_FORMAT, block.signature),) if block.signature else ()
            return Reasoning(visible=(block.thinking or "",), sealed=sealed, format=THINKING_FORMAT)
        case "redacted_thinking":
            sealed = (Sealed("redacted", THINKING_FORMAT, block.data or ""),)
            return Reasoning(sealed=sealed, format=THINKING_FORMAT)
        case "tool_use" if block.name == plan.hidden:
            return Text(text=_arguments(block.input))
        case "tool_use":
            return _tool_call(block, plan)
        case _:
            return Opaque(dialect=DIALECT, type=block.type, raw=raw)


def _tool_call(block: wire.Block, plan: AnswerPlan) -> ToolCall:
    name = block.name or ""
    return ToolCall(
        call_id=block.id or "",
        name=plan.tools.get(name, name),
        arguments=_arguments(block.input),
        kind="custom" if name in plan.custom else "function",
        invoked_by=block.caller if wire.is_given(block.caller) else None,
    )


def _arguments(value: Raw) -> str:
    """ "" for no arguments: in a stream they are yet to come."""
    text = compact(value).decode() if wire.is_given(value) else ""
    return "" if text == "{}" else text


def complete(part: AnswerPart) -> AnswerPart:
    """A part of a whole answer: calls have arguments, free text is taken out of its wrapping."""
    if not isinstance(part, ToolCall):
        return part
    return msgspec.structs.replace(part, arguments=written_text(part.kind, part.arguments))


def written_text(kind: CallKind, arguments: str) -> str:
    """What a call was given, of the complete JSON that came for it; "{}" for nothing."""
    if kind != "custom":
        return arguments or "{}"
    try:
        return msgspec.json.decode(arguments, type=dict[str, str]).get("input", "")
    except (msgspec.DecodeError, UnicodeError):
        return arguments  # cut short by a limit: the caller sees what there is


def read_citation(raw: Raw) -> Citation:
    """Raises msgspec.DecodeError for what is none."""
    citation = wire.decode_citation(raw)
    return Citation(
        kind="url" if citation.type == "web_search_result_location" else "document",
        dialect=DIALECT,
        raw=raw,
        url=citation.url,
        title=citation.title or citation.document_title,
    )


def finish_of(
    native: str | None,
    *,
    stop_sequence: str | None,
    details: wire.StopDetails | None,
    calls: bool,
    hidden: bool,
) -> Finish:
    """calls: the caller has a tool to run. hidden: the tool that stands for the answer was called."""
    reason = _REASONS.get(native, "other")
    if reason == "tool_calls" and hidden and not calls:
        reason = "stop"
    elif reason in _YIELDS_TO_CALLS and calls:
        reason = "tool_calls"
    return Finish(
        reason=reason,
        native=native,
        stop_sequence=stop_sequence,
        category=details.category if details else None,
        explanation=details.explanation if details else None,
    )
