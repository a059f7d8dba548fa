"""Refusals of the API that say what a model does not accept, as its capabilities.

Only what the request really held is learnt from, and only in the API's own words: nothing that a caller wrote can
stand at the start of them.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from gaiarouter.dialects.messages.capabilities import EFFORTS, Capabilities, ThinkingType
from gaiarouter.errors import Rejected

_EFFORT = re.compile(r"This model does not support effort level '(\w+)'\. Supported levels: ([\w, ]+)", re.IGNORECASE)
_THINKING = re.compile(r"[\"'`]?thinking\.type\.(\w+)[\"'`]? is not supported", re.IGNORECASE)
_ADAPTIVE = re.compile(r"adaptive thinking is not supported", re.IGNORECASE)
_CHOICE = re.compile(r"tool_choice: type \"tool\" and \"any\" are not supported", re.IGNORECASE)
_SYSTEM = re.compile(r"(?:messages\S*: )?role 'system' is not supported on this model", re.IGNORECASE)
_SAMPLING = re.compile(r"[\"'`]?(?:temperature|top_p|top_k)[\"'`]?:? [^:]*not supported", re.IGNORECASE)
_LIMIT = re.compile(r"max_tokens: (\d+) > (\d+), which is the maximum")
_decode = msgspec.json.Decoder(dict[str, Raw]).decode


def lesson(error: Rejected, body: bytes, known: Capabilities) -> Capabilities | None:
    """What the model is capable of after all; None where the error teaches nothing. body: of the request."""
    sent, text = _decode(body), error.message
    if found := _EFFORT.match(text):
        return _efforts(sent, known, refused=found[1], told=found[2])
    if found := _THINKING.match(text):
        return _without(known, found[1].lower()) if _member(sent, "thinking", "type") == found[1].lower() else None
    if _ADAPTIVE.match(text) and _member(sent, "thinking", "type") == "adaptive":
        return _without(known, "adaptive")
    if _CHOICE.match(text) and _member(sent, "tool_choice", "type") in ("any", "tool"):
        return msgspec.structs.replace(known, forced_choice="no")
    if _SYSTEM.match(text):
        return msgspec.structs.replace(known, system_turns=False)
    if _SAMPLING.match(text) and not sent.keys().isdisjoint(("temperature", "top_p", "top_k")):
        return msgspec.structs.replace(known, sampling=False)
    if (found := _LIMIT.match(text)) and bytes(sent["max_tokens"]).decode() == found[1] and int(found[2]) > 0:
        return msgspec.structs.replace(known, max_output=int(found[2]))
    return None


def _member(sent: dict[str, Raw], outer: str, inner: str) -> Any:
    value = msgspec.json.decode(sent[outer]) if outer in sent else None
    return value.get(inner) if isinstance(value, dict) else None


def _efforts(sent: dict[str, Raw], known: Capabilities, *, refused: str, told: str) -> Capabilities | None:
    named = {word.strip().lower() for word in told.split(",")}
    if _member(sent, "output_config", "effort") != refused:
        return None
    left = tuple(word for word in EFFORTS if word in named and word != refused)
    return msgspec.structs.replace(known, efforts=left) if left else None


def _without(known: Capabilities, kind: str) -> Capabilities:
    """The other form of what was refused; of `disabled` there is none."""
    left: list[ThinkingType] = [each for each in known.thinking if each != kind]
    if kind == "disabled":
        return msgspec.structs.replace(known, thinking=tuple(left), thinks_unasked="always")
    other: ThinkingType = "enabled" if kind == "adaptive" else "adaptive"
    efforts = known.efforts or (EFFORTS if other == "adaptive" else ())
    return msgspec.structs.replace(known, thinking=tuple(dict.fromkeys([other, *left])), efforts=efforts)
