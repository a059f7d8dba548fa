"""How one caller sees an answer: what it asked for, and the words of Gemini for what the canonical form says."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import Finish, Reason
from gaiarouter.canonical.parts import Audio, Base64, Image, ToolCall, Url
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.gemini.decode import ENUM, MEDIA_TYPE
from gaiarouter.dialects.gemini.finish import is_word
from gaiarouter.dialects.logprobs import Token, decode_tokens

_FINISH_REASONS: dict[Reason, str] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "context_length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "refusal": "SAFETY",
    "content_filter": "SAFETY",
    "pause": "OTHER",
    "other": "OTHER",
    "error": "OTHER",
}
MALFORMED = "MALFORMED_FUNCTION_CALL"


class AnswerView(Struct, frozen=True, kw_only=True):
    """fallback_id: for an answer that has no id. model: shown in place of the provider's. shows_thoughts: the caller
    asked for them. bare_choice: the answer is one of a list of values, without the quotes of JSON."""

    fallback_id: str
    model: str | None = None
    shows_thoughts: bool = True
    bare_choice: bool = False

    def head(self, answer_id: str, model: str) -> dict[str, Any]:
        return {"modelVersion": self.model or model, "responseId": answer_id or self.fallback_id}


def view_of(request: CanonicalRequest, *, answer_id: str, model: str | None = None) -> AnswerView:
    return AnswerView(
        fallback_id=answer_id,
        model=model,
        shows_thoughts=request.thinking.visible != "omit",
        bare_choice=bytes(request.echoed.get(MEDIA_TYPE, b"")) == ENUM,
    )


def ending(finish: Finish) -> dict[str, Any]:
    """The members of a candidate that say why it ended."""
    word = _FINISH_REASONS[finish.reason]
    if finish.native is not None and finish.reason in ("content_filter", "other") and is_word(finish.native):
        word = finish.native
    said: dict[str, Any] = {"finishReason": word}
    return said | ({"finishMessage": finish.explanation} if finish.explanation else {})


def arguments_of(call: ToolCall) -> Raw | None:
    """The object that a call's arguments are; None where they are none, cut short by a limit for instance."""
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


def media_part(part: Image | Audio) -> dict[str, Any] | None:
    """None for sound of which only its words can be told here."""
    match part.source:
        case Base64(media_type=media_type, data=data):
            kind = "image/png" if isinstance(part, Image) else "audio/wav"
            return {"inlineData": {"mimeType": media_type or kind, "data": data}}
        case Url(url=url, media_type=media_type):
            return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}
        case _:
            return None


def bare(text: str) -> str:
    """A JSON string without its quotes; anything else as it is."""
    try:
        return msgspec.json.decode(text.strip(), type=str)
    except (msgspec.DecodeError, UnicodeError):
        return text


def logprobs_result(raws: list[Raw]) -> dict[str, Any]:
    """`logprobsResult`, of lists of tokens with their rivals."""
    tokens = [token for raw in raws for token in decode_tokens(raw)]
    return {
        "chosenCandidates": [_told(token) for token in tokens],
        "topCandidates": [{"candidates": [_told(each) for each in token.top_logprobs or ()]} for token in tokens],
    }


def _told(token: Token) -> dict[str, Any]:
    return {"token": token.token, "logProbability": token.logprob}
