"""Sends Chat requests to Messages targets, as far as bytes go: what a target would get."""

from __future__ import annotations

import json
from typing import Any

from gaiarouter.canonical.losses import Loss
from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.request import EncodedRequest, Target, encode_request

HAIKU_4_5 = "claude-haiku-4-5-20251001"
SONNET_4 = "claude-sonnet-4-20250514"
OPUS_4_5 = "claude-opus-4-5-20251101"
OPUS_4_6 = "claude-opus-4-6"
OPUS_4_7 = "claude-opus-4-7"
OPUS_4_8 = "claude-opus-4-8"
OPUS_5 = "claude-opus-5"
OPUS_5_5 = "claude-opus-5-5"
SONNET_5_5 = "claude-sonnet-5-5"

USER = {"role": "user", "content": "Hi"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time"}}


def call(call_id: str, name: str = "get_weather", arguments: str = '{"city":"SF"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def assistant(*calls: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None} | ({"tool_calls": list(calls)} if calls else {}) | members


def result(call_id: str, content: Any = "ok", **members: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content} | members


def encode(
    model: str = HAIKU_4_5, *, strict: bool = False, target: dict[str, Any] | None = None, **members: Any
) -> EncodedRequest:
    """`members` of a Chat request; one message of the user's, where none are given."""
    body = {"model": "x", "messages": [USER]} | members
    request = decode_request(json.dumps(body, ensure_ascii=False).encode())
    capabilities = CapabilityTable().of(model)
    return encode_request(request, Target(model=model, capabilities=capabilities, strict=strict, **(target or {})))


def sent(model: str = HAIKU_4_5, **members: Any) -> dict[str, Any]:
    """The JSON that the target gets."""
    body: dict[str, Any] = json.loads(encode(model, **members).body)
    return body


def messages_of(*messages: dict[str, Any], model: str = HAIKU_4_5, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(model, messages=list(messages), **members)["messages"]
    return found


def losses(model: str = HAIKU_4_5, **members: Any) -> dict[str, str]:
    """By path, the kind."""
    found: tuple[Loss, ...] = encode(model, **members).losses
    return {loss.path: loss.kind for loss in found}
