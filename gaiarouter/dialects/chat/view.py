"""How one caller sees an answer: what it asked for, and the words of Chat for what the canonical form says."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gaiarouter.canonical.events import Finish, Reason
from gaiarouter.canonical.parts import Base64, Citation, Image, ToolCall, Url
from gaiarouter.canonical.request import CanonicalRequest

REFUSED = "The model declined to answer."
REASONS: dict[Reason, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context_length": "length",
    "tool_calls": "tool_calls",
    "refusal": "content_filter",
    "content_filter": "content_filter",
    "pause": "stop",
    "other": "stop",
    "error": "stop",
}
_PREFIX = "chatcmpl-"


class AnswerView(Struct, frozen=True, kw_only=True):
    """fallback_id: for an answer that has no id. created: seconds since 1970. model: shown in place of the provider's.
    shows_reasoning: False if the caller wants to see none. calls_functions: it speaks the old `functions`."""

    fallback_id: str
    created: int
    include_usage: bool = False
    model: str | None = None
    shows_reasoning: bool = True
    calls_functions: bool = False

    def id_of(self, provider_id: str) -> str:
        """The same for the same answer: a provider's `msg_01Ab` is `chatcmpl-01Ab`."""
        if not provider_id:
            return self.fallback_id
        if provider_id.startswith(_PREFIX):
            return provider_id
        return _PREFIX + (provider_id.partition("_")[2] or provider_id)


def view_of(request: CanonicalRequest, *, answer_id: str, created: int, model: str | None = None) -> AnswerView:
    return AnswerView(
        fallback_id=_PREFIX + answer_id,
        created=created,
        include_usage=request.include_usage,
        model=model,
        shows_reasoning=request.thinking.visible != "omit",
        calls_functions=request.paths.get("tools") == "functions",
    )


def finish_word(finish: Finish, *, spoke_refusal: bool, view: AnswerView) -> str:
    """spoke_refusal: the model itself said no, and the answer is complete as it is."""
    if finish.reason == "refusal" and spoke_refusal:
        return "stop"
    if finish.reason == "tool_calls" and view.calls_functions:
        return "function_call"
    return REASONS[finish.reason]


def refusal_text(finish: Finish, *, spoke_refusal: bool) -> str | None:
    """What stands in `refusal` where a provider's filter stepped in: the text before it is no answer."""
    if finish.reason == "refusal" and not spoke_refusal:
        return finish.explanation or REFUSED
    return finish.explanation if finish.reason == "content_filter" else None


def ending(finish: Finish) -> dict[str, Any]:
    """Members of the choice for endings that Chat has no word for."""
    return {"native_finish_reason": finish.native} if finish.reason == "pause" else {}


def url_annotation(citation: Citation, start: int, end: int) -> dict[str, Any]:
    """start, end: of the cited text in the whole content, in characters."""
    if citation.start is not None and citation.end is not None:
        start, end = start + citation.start, start + citation.end
    told = {"url": citation.url or "", "title": citation.title or "", "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": told}


def other_citation(citation: Citation) -> dict[str, Any]:
    """Of a document in the request: Chat has no form for it, so it goes on in its maker's."""
    return {"dialect": citation.dialect, "citation": citation.raw}


def called(call: ToolCall) -> dict[str, Any]:
    """A call as far as it is known, without an index."""
    if call.kind == "custom":
        return {"id": call.call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def picture(image: Image) -> dict[str, Any]:
    match image.source:
        case Base64(media_type=media_type, data=data):
            url = f"data:{media_type or 'image/png'};base64,{data}"
        case Url(url=url):
            pass
        case _:
            url = ""
    return {"type": "image_url", "image_url": {"url": url}}


def is_callers(call: ToolCall) -> bool:
    """To be run by the caller: it must not see those that the provider runs."""
    return call.kind in ("function", "custom")
