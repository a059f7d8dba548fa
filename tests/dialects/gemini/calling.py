"""Asks and answers as a caller of the Gemini format does and is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gaiarouter.canonical.events import (
    CanonicalAnswer,
    Choice,
    Event,
    Finish,
)
from gaiarouter.canonical.parts import (
    Reasoning,
    Sealed,
    ToolCall,
)
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.gemini.decode import decode_request
from gaiarouter.dialects.gemini.encode import StreamEncoder, encode_answer
from gaiarouter.dialects.gemini.head import read_request
from gaiarouter.dialects.gemini.view import AnswerView

HI = [{"role": "user", "parts": [{"text": "Hi"}]}]
VIEW = AnswerView(fallback_id="own")
THERE = Envelope(model="m", stream=False)
CLAUDE = "anthropic-claude-v1"
SIGNED = Reasoning(visible=("Hm.",), sealed=(Sealed("signature", CLAUDE, "c2ln"),), format=CLAUDE)
CALL = ToolCall(call_id="c1", name="f", arguments='{"b":12345678901234567890,"a":"é"}')


def decoded(contents: Any = HI, **members: Any) -> CanonicalRequest:
    body = json.dumps({"contents": contents} | members, ensure_ascii=False).encode()
    read_request(body, THERE)
    return decode_request(body, THERE)


def parts_of(*parts: Any, role: str = "user") -> list[Any]:
    (turn,) = decoded([{"role": role, "parts": list(parts)}]).turns
    return list(turn.parts)


def answer(*parts: Any, finish: Finish | None = None) -> CanonicalAnswer:
    choice = Choice(0, parts, finish or Finish(reason="stop"))
    return CanonicalAnswer(id="r", model="other", choices=(choice,), usage=Usage(in_uncached=3, out_visible=2))


def told(*parts: Any, finish: Finish | None = None, view: AnswerView = VIEW) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_answer(answer(*parts, finish=finish), view))
    return found


def candidate(*parts: Any, finish: Finish | None = None, view: AnswerView = VIEW) -> dict[str, Any]:
    found: dict[str, Any] = told(*parts, finish=finish, view=view)["candidates"][0]
    return found


def said(*parts: Any, view: AnswerView = VIEW) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = candidate(*parts, view=view)["content"]["parts"]
    return found


def streamed(events: Iterable[Event], view: AnswerView = VIEW) -> list[dict[str, Any]]:
    """Each event is fed by itself: one response for each that says something."""
    encoder = StreamEncoder(view)
    pieces = [encoder.encode([event]) for event in events]
    return [json.loads(piece.removeprefix(b"data: ")) for piece in pieces if piece]
