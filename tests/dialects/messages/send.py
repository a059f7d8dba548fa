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
    return encode_bytes(json.dumps(body, ensure_ascii=False).encode(), model, strict=strict, target=target)


def encode_bytes(
    body: bytes, model: str = HAIKU_4_5, *, strict: bool = False, target: dict[str, Any] | None = None
) -> EncodedRequest:
    capabilities = CapabilityTable().of(model)
    wanted = Target(model=model, capabilities=capabilities, strict=strict, **(target or {}))
    return encode_request(decode_request(body), wanted)


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


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def said(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def system(value: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": value}


def tool_use(id_: str, name: str = "get_weather", **input_: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": input_}


def tool_result(id_: str, content: Any = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content}
