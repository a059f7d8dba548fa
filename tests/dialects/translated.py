"""A Chat caller and a Messages target, and what is the same in all that the caller is told."""

from __future__ import annotations

import json
from typing import Any

from gaiarouter.dialects.chat.caller import ChatCaller
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.target import MessagesTarget
from gaiarouter.dialects.translate import Translation

TARGET = MessagesTarget(CapabilityTable())
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "claude-x"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def translation(model: str = "claude-sonnet-4", **members: Any) -> Translation:
    caller = ChatCaller()
    body = {"model": "x", "messages": [{"role": "user", "content": "Hi"}]} | members
    request = caller.decode_request(json.dumps(body).encode())
    prepared = TARGET.prepare(request, model=model, strict=False)
    return Translation(prepared, caller.writer(request, answer_id="own", created=7, input_tokens=1))


def usage_chunk(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "choices": [],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }
