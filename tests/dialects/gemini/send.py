"""Sends Chat requests to Gemini targets, as far as bytes go: what a target would get."""

from __future__ import annotations

import json
from typing import Any

from gaiarouter.dialects.chat.decode import decode_request
from gaiarouter.dialects.gemini.capabilities import CapabilityTable
from gaiarouter.dialects.gemini.request import EncodedRequest, Target, encode_request

FLASH_2_0 = "gemini-2.0-flash"
FLASH_2_5 = "gemini-2.5-flash"
LITE_2_5 = "gemini-2.5-flash-lite"
PRO_2_5 = "gemini-2.5-pro"
PRO_3 = "gemini-3-pro-preview"
FLASH_3 = "gemini-3-flash-preview"
NEWEST = "gemini-9-ultra"

USER = {"role": "user", "content": "Hi"}
PNG = "iVBORw0KGgo="
PNG_URL = f"data:image/png;base64,{PNG}"
PICTURE = {"type": "image_url", "image_url": {"url": PNG_URL}}
INLINE_PNG = {"inlineData": {"mimeType": "image/png", "data": PNG}}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
SKIP = "skip_thought_signature_validator"


def function(name: str = "get_weather", parameters: Any = CITY, **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters} | members}


WEATHER = function()
CLOCK = function("get_time", None)


def call(call_id: str, name: str = "get_weather", arguments: str = '{"city":"SF"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def assistant(*calls: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None} | ({"tool_calls": list(calls)} if calls else {}) | members


def result(call_id: str, content: Any = "ok", **members: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content} | members


def system(value: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": value}


def encode(
    model: str = FLASH_3, *, strict: bool = False, target: dict[str, Any] | None = None, **members: Any
) -> EncodedRequest:
    """`members` of a Chat request; one message of the user's, where none are given."""
    body = {"model": "x", "messages": [USER]} | members
    return encode_bytes(json.dumps(body, ensure_ascii=False).encode(), model, strict=strict, target=target)


def encode_bytes(
    body: bytes, model: str = FLASH_3, *, strict: bool = False, target: dict[str, Any] | None = None
) -> EncodedRequest:
    capabilities = CapabilityTable().of(model)
    wanted = Target(model=model, capabilities=capabilities, strict=strict, **(target or {}))
    return encode_request(decode_request(body), wanted)


def sent(model: str = FLASH_3, **members: Any) -> dict[str, Any]:
    """The JSON that the target gets."""
    body: dict[str, Any] = json.loads(encode(model, **members).body)
    return body


def config(model: str = FLASH_3, **members: Any) -> dict[str, Any]:
    """Its `generationConfig`."""
    found: dict[str, Any] = sent(model, **members).get("generationConfig", {})
    return found


def contents(*messages: dict[str, Any], model: str = FLASH_3, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(model, messages=list(messages), **members)["contents"]
    return found


def losses(model: str = FLASH_3, **members: Any) -> dict[str, str]:
    """By path, the kind."""
    return {loss.path: loss.kind for loss in encode(model, **members).losses}


def text(value: str) -> dict[str, str]:
    return {"text": value}


def said(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def called(call_id: str | None, name: str = "get_weather", *, sign: str | None = None, **args: Any) -> dict[str, Any]:
    body = {"name": name, "args": args} if call_id is None else {"id": call_id, "name": name, "args": args}
    return {"functionCall": body} | ({"thoughtSignature": sign} if sign else {})


def responded(call_id: str | None, response: Any, name: str = "get_weather", **members: Any) -> dict[str, Any]:
    body = {"name": name, "response": response} | members
    return {"functionResponse": body if call_id is None else {"id": call_id} | body}
