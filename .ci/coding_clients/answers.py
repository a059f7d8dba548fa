"""What the scripted provider says, as a stream of each dialect: a call of the client's tool, or a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.script import Script, sse, sse_answer

Arguments = Mapping[str, Any]


def chat(text: str | None, tool: str, arguments: Arguments) -> Script:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    function = {"name": tool, "arguments": json.dumps(arguments)}
    call = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    said: dict[str, Any] = {"content": text} if text is not None else call
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return sse_answer(
        [
            sse(chunk({"role": "assistant", **said})),
            sse(chunk({}, "stop" if text is not None else "tool_calls")),
            sse({**head, "choices": [], "usage": usage}),
            sse(b"[DONE]"),
        ]
    )


def messages(text: str | None, tool: str, arguments: Arguments) -> Script:
    if text is not None:
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": text}
    else:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    ending = {"stop_reason": "end_turn" if text is not None else "tool_use", "stop_sequence": None}
    usage = {"input_tokens": 9, "output_tokens": 3}
    return _named(
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    )


def responses(text: str | None, tool: str, arguments: Arguments) -> Script:
    if text is not None:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        item: dict[str, Any] = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
        item["content"] = content
    else:
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool, "status": "completed"}
        item["arguments"] = json.dumps(arguments)
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-x", "output": []}
    done = {**response, "status": "completed", "output": [item], "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    ]
    return _named(*({**event, "sequence_number": number} for number, event in enumerate(events)))


def gemini(text: str | None, tool: str, arguments: Arguments) -> Script:
    part: dict[str, Any] = {"text": text} if text is not None else {"functionCall": {"name": tool, "args": arguments}}
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
    return sse_answer([sse({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-x"})])


def _named(*events: Mapping[str, Any]) -> Script:
    return sse_answer([f"event: {event['type']}\n".encode() + sse(event) for event in events])


ANSWERS: Mapping[str, Callable[[str | None, str, Arguments], Script]] = {
    "chat": chat,
    "messages": messages,
    "responses": responses,
    "gemini": gemini,
}
"""By the dialect that the target is spoken to in."""
