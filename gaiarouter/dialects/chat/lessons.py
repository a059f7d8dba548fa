"""Refusals of servers that speak Chat, as what their profile or their model lacks.

Only what the request really held is learnt from, and only where the server names it: by its error's `param`, or in
words that stand before anything that a caller wrote.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.chat.capabilities import Capabilities
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.errors import Rejected

_NOT_KNOWN = frozenset({"unknown_parameter", "unsupported_parameter", "unsupported_value", "extra_forbidden"})
_NAMED = (
    re.compile(r"(?:Unsupported|Unknown) (?:parameter|value): ['\"`]?([\w.\[\]]+)", re.IGNORECASE),
    re.compile(r"Unrecognized request arguments? supplied: (\w+)", re.IGNORECASE),
    re.compile(r"([\w.]+): Extra inputs are not permitted", re.IGNORECASE),
    re.compile(r"(?:property )?['\"`](\w+)['\"`] is (?:unsupported|not supported)", re.IGNORECASE),
)
_ROLE = re.compile(r".{0,24}messages\[\d+\]\.role.{0,4} does not support '(\w+)'", re.IGNORECASE)
_LIMITS = ("max_tokens", "max_completion_tokens")
_SAMPLING = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"),
        *("seed", "logit_bias", "logprobs", "top_logprobs", "verbosity", "user", "safety_identifier", "service_tier"),
    }
)
_decode = msgspec.json.Decoder(dict[str, Raw]).decode


class Known(Struct, frozen=True):
    """What is known of a server and its model."""

    profile: ChatProfile
    capabilities: Capabilities


def lesson(error: Rejected, body: bytes, known: Known) -> Known | None:
    """What holds after all; None where the error teaches nothing. body: of the request."""
    if found := _ROLE.match(error.message):
        return _another_role(known, found[1])
    name, sent = _named(error), _decode(body)
    if name is None or (name not in sent and name != "strict"):
        return None
    profile, model = known.profile, known.capabilities
    if name in _LIMITS:
        other = "max_completion_tokens" if name == "max_tokens" else "max_tokens"
        return _with(known, msgspec.structs.replace(profile, limit_field=other))
    match name:
        case "stream_options":
            return _with(known, msgspec.structs.replace(profile, stream_options=False))
        case "parallel_tool_calls":
            return _with(known, msgspec.structs.replace(profile, parallel_field=False))
        case "strict" if b'"strict":' in body:
            return _with(known, msgspec.structs.replace(profile, strict_tools=False))
        case "stop":
            return Known(profile, msgspec.structs.replace(model, stop=False))
        case "reasoning_effort":
            return Known(profile, msgspec.structs.replace(model, reasons=False))
        case _ if name in _SAMPLING:
            return _with(known, msgspec.structs.replace(profile, drops=profile.drops | {name}))
        case _:
            return None


def _with(known: Known, profile: ChatProfile) -> Known:
    return Known(profile, known.capabilities)


def _named(error: Rejected) -> str | None:
    """What the server does not know."""
    if error.param and error.code in _NOT_KNOWN:
        return error.param
    found = next((match for each in _NAMED if (match := each.match(error.message))), None)
    return found[1].rpartition(".")[2] if found else None


def _another_role(known: Known, refused: str) -> Known | None:
    """Instructions as the developer's where they may not be the system's; as the user's where neither is known."""
    profile = known.profile
    match refused, profile.system_role:
        case "system", "system":
            return _with(known, msgspec.structs.replace(profile, system_role="developer", developer_role=True))
        case "developer", "developer":
            return _with(known, msgspec.structs.replace(profile, system_role="user", developer_role=False))
        case "developer", "system":
            return _with(known, msgspec.structs.replace(profile, developer_role=False))
        case _:
            return None
