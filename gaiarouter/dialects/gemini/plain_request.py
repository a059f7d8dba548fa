"""The body of a request that only says texts, as most do. `request` writes the same of it, and everything else."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gaiarouter.canonical.plain import plain_turns
from gaiarouter.canonical.request import UNSAMPLED, CanonicalRequest


class _Part(Struct, gc=False):
    text: str


class _Instruction(Struct, gc=False):
    parts: list[_Part]


class _Content(Struct, gc=False):
    role: str
    parts: list[_Part]


class _Config(Struct, gc=False, omit_defaults=True, rename="camel"):
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None


class _Body(Struct, gc=False, kw_only=True, omit_defaults=True, rename="camel"):
    system_instruction: _Instruction | None = None
    contents: list[_Content]
    generation_config: _Config | None = None


_encode = msgspec.json.Encoder().encode
_ROLES = {"user": "user", "assistant": "model"}


def write_plain(request: CanonicalRequest) -> bytes | None:
    """None for any other request."""
    turns, limit, sampling = plain_turns(request), request.max_output_tokens, request.sampling
    if turns is None or (limit is not None and limit < 1):
        return None
    instructions = request.instructions
    body = _Body(
        system_instruction=_Instruction([_Part(each.text) for each in instructions]) if instructions else None,
        contents=[_Content(_ROLES[speaker], list(map(_Part, texts))) for speaker, texts in turns],
        generation_config=None
        if limit is None and sampling == UNSAMPLED
        else _Config(limit, sampling.temperature, sampling.top_p),
    )
    return _encode(body)
