"""What the scripted upstream says in Anthropic's and in Google's format: the same as in OpenAI's, word for word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench import wire

WORD: Final = " word"


@dataclass(frozen=True, slots=True)
class Script:
    """An answer as a whole; a stream's beginning, words of it in turn, its ending."""

    answer: bytes
    first: bytes
    deltas: tuple[bytes, ...]
    last: bytes


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _text() -> str:
    text: str = json.loads(wire.ANSWER)["choices"][0]["message"]["content"]
    return text


def _event(value: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(value["type"]).encode(), _json(value))


def _messages() -> Script:
    usage = {"input_tokens": wire.USAGE["prompt_tokens"], "output_tokens": wire.USAGE["completion_tokens"]}
    message: dict[str, Any] = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "bench-model",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"type": "text", "text": _text()}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORD}}
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    return Script(
        answer=_json(message | {"content": [block], "stop_reason": "end_turn"}),
        first=_event({"type": "message_start", "message": message})
        + _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        deltas=(_event(text),),
        last=_event({"type": "content_block_stop", "index": 0})
        + _event({"type": "message_delta", "delta": ending, "usage": usage})
        + _event({"type": "message_stop"}),
    )


def _gemini() -> Script:
    def said(text: str, count: int, **more: str) -> bytes:
        counts = {"promptTokenCount": 40, "candidatesTokenCount": count, "totalTokenCount": 40 + count}
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0} | more
        answer = {"candidates": [candidate], "usageMetadata": counts, "modelVersion": "bench-model"}
        return _json(answer | {"responseId": "bench"})

    def event(data: bytes) -> bytes:
        return b"data: " + data + b"\r\n\r\n"

    # totals grow from event to event
    words = event(said(WORD, 10)), event(said(WORD, 11))
    return Script(said(_text(), 12, finishReason="STOP"), words[0], words, event(said("", 12, finishReason="STOP")))


SCRIPTS: Final = {b"POST /v1/messages": _messages(), b"POST /v1beta/models/": _gemini()}
"""By the beginning of the request that asks for it."""
