"""Answers of the Gemini format, written from a list of their responses."""

from __future__ import annotations

import itertools
import json
from typing import Any

from gaiarouter.canonical.events import CanonicalAnswer, Choice, Event
from gaiarouter.canonical.fold import fold
from gaiarouter.canonical.parts import Text
from gaiarouter.dialects.gemini.chunks import StreamDecoder
from gaiarouter.dialects.gemini.plan import AnswerPlan
from gaiarouter.dialects.gemini.response import decode_answer

PLAN = AnswerPlan()
USAGE = {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}


def response(*parts: dict[str, Any], finish: str | None = None, **members: Any) -> dict[str, Any]:
    """One that adds `parts`; `members` are of its candidate."""
    content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    ending = {"finishReason": finish} if finish else {}
    return {
        "candidates": [content | ending | {"index": 0} | members],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-x",
        "responseId": "r1",
    }


def text(value: str, **members: Any) -> dict[str, Any]:
    return {"text": value} | members


def called(name: str, args: Any = None, *, sign: str | None = None, id_: str | None = None) -> dict[str, Any]:
    body = {"name": name} | ({} if args is None else {"args": args}) | ({"id": id_} if id_ else {})
    return {"functionCall": body} | ({"thoughtSignature": sign} if sign else {})


def wire(*responses: dict[str, Any], end: str = "\r\n") -> bytes:
    return "".join(f"data: {json.dumps(each, ensure_ascii=False)}{end}{end}" for each in responses).encode()


def array(*responses: dict[str, Any]) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(each, indent=2).encode() for each in responses) + b"\n]\n"


def decode(data: bytes, plan: AnswerPlan = PLAN, *, cuts: list[int] | None = None) -> list[Event]:
    """The events of a stream whose bytes come in pieces cut at `cuts`."""
    decoder = StreamDecoder(plan)
    edges = [0, *sorted(cuts or ()), len(data)]
    events: list[Event] = []
    for first, last in itertools.pairwise(edges):
        events += decoder.feed(data[first:last])
    return events + decoder.close()


def streamed(*responses: dict[str, Any], plan: AnswerPlan = PLAN) -> CanonicalAnswer:
    return fold(decode(wire(*responses), plan))


def whole(body: dict[str, Any], plan: AnswerPlan = PLAN) -> CanonicalAnswer:
    return decode_answer(json.dumps(body, ensure_ascii=False).encode(), plan)


def only(answer: CanonicalAnswer) -> Choice:
    (choice,) = answer.choices
    return choice


def texts(choice: Choice) -> list[str]:
    return [part.text for part in choice.parts if isinstance(part, Text)]
