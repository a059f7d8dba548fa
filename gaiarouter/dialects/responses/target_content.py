"""The items of an answer as parts, and why it ended."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw

from gaiarouter.canonical.events import Finish, Reason
from gaiarouter.canonical.parts import AnswerPart, Opaque, Reasoning, Refusal, Sealed, Text, ToolCall
from gaiarouter.dialects.logprobs import is_told
from gaiarouter.dialects.responses import form
from gaiarouter.dialects.responses.content import read_citation
from gaiarouter.dialects.responses.fields import DIALECT
from gaiarouter.dialects.responses.items import flat_name
from gaiarouter.dialects.responses.plan import AnswerPlan
from gaiarouter.dialects.responses.sealing import OWN_FORMAT
from gaiarouter.dialects.responses.wire import Response

_INCOMPLETE: dict[str, Reason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
CALLS = {"function_call": "function", "custom_tool_call": "custom"}


def read_item(raw: Raw, plan: AnswerPlan) -> list[AnswerPart]:
    """Raises what msgspec raises for an item of another shape than the API's."""
    item = form.decode_item(raw)
    match item.type:
        case "message":
            content = item.content if isinstance(item.content, list) else []
            return [part for each in content for part in read_piece(form.decode_part(each), item)]
        case "function_call" | "custom_tool_call":
            return [read_call(item, plan)]
        case "reasoning":
            return [read_reasoning(item)]
        case _:
            return [Opaque(dialect=DIALECT, type=item.type or "", raw=raw)]


def read_piece(part: form.Part, item: form.Item) -> list[AnswerPart]:
    """A part of a message; nothing for a kind that nobody has told us of."""
    match part.type:
        case "output_text":
            return [
                Text(
                    text=part.text or "",
                    citations=tuple(read_citation(raw) for raw in part.annotations or ()),
                    logprobs=(part.logprobs,) if is_told(part.logprobs) else (),
                    item_id=item.id,
                    phase=item.phase,
                )
            ]
        case "refusal":
            return [Refusal(text=part.refusal or "", item_id=item.id)]
        case _:
            return []


def read_reasoning(item: form.Item) -> Reasoning:
    content = item.content if isinstance(item.content, list) else []
    return Reasoning(
        visible=tuple(form.decode_part(raw).text or "" for raw in content),
        summary=tuple(part.text or "" for part in item.summary or ()),
        sealed=(Sealed("encrypted", OWN_FORMAT, item.encrypted_content),) if item.encrypted_content else (),
        format=OWN_FORMAT,
        id=item.id,
    )


def read_call(item: form.Item, plan: AnswerPlan) -> ToolCall:
    name = flat_name(item.name or "", item.namespace)
    return ToolCall(
        call_id=item.call_id or item.id or "",
        name=plan.tools.get(name, name),
        arguments=(item.input or "") if item.type == "custom_tool_call" else form.text_of(item.arguments),
        kind="custom" if item.type == "custom_tool_call" else "function",
        item_id=item.id,
        namespace=item.namespace,
    )


def finish_of(response: Response, parts: Iterable[AnswerPart]) -> Finish:
    """Of an answer that is complete, or was cut short by a limit."""
    kinds = {type(part) for part in parts}
    details = response.incomplete_details
    if response.status == "incomplete":
        native = (details.reason if details else None) or "incomplete"
        return Finish(reason=_INCOMPLETE.get(native, "other"), native=native)
    reason: Reason = "tool_calls" if ToolCall in kinds else "refusal" if Refusal in kinds else "stop"
    return Finish(reason=reason, native=response.status)
