"""Streams of the Messages format, written from a list of their events."""

from __future__ import annotations

import itertools
import json
from typing import Any

from gaiarouter.canonical.events import Event
from gaiarouter.dialects.messages.chunks import StreamDecoder
from gaiarouter.dialects.messages.plan import AnswerPlan

PLAN = AnswerPlan()
START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    },
}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}


def block(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, kind: str, **members: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **members}}


def text(index: int, value: str) -> dict[str, Any]:
    return delta(index, "text", text=value)


def arguments(index: int, value: str) -> dict[str, Any]:
    return delta(index, "input_json", partial_json=value)


def end(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def stop(
    reason: str | None = "end_turn", output: int = 5, usage: dict[str, Any] | None = None, **members: Any
) -> dict[str, Any]:
    told = {"stop_reason": reason, "stop_sequence": None} | members
    return {"type": "message_delta", "delta": told, "usage": {"output_tokens": output} | (usage or {})}


def spoken(*values: str, index: int = 0) -> list[dict[str, Any]]:
    """A whole block of text."""
    return [block(index, type="text", text=""), *(text(index, value) for value in values), end(index)]


def wire(*events: dict[str, Any]) -> bytes:
    return "".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events
    ).encode()


def decode(data: bytes, plan: AnswerPlan = PLAN, *, cuts: list[int] | None = None) -> list[Event]:
    """The events of a stream whose bytes come in pieces cut at `cuts`."""
    decoder = StreamDecoder(plan)
    edges = [0, *sorted(cuts or ()), len(data)]
    events: list[Event] = []
    for first, last in itertools.pairwise(edges):
        events += decoder.feed(data[first:last])
    return events + decoder.close()
