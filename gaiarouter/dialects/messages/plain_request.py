"""The body of a request that only says texts, as most do. `request` writes the same of it, and everything else."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gaiarouter.canonical.plain import plain_turns
from gaiarouter.canonical.request import UNSAMPLED, CanonicalRequest, Sampling
from gaiarouter.dialects.messages.capabilities import Capabilities

DEFAULT_MAX_TOKENS = 8192


class _Block(Struct, gc=False, tag_field="type", tag="text"):
    text: str


class _Message(Struct, gc=False):
    role: str
    content: list[_Block]


class _Body(Struct, gc=False, kw_only=True, omit_defaults=True):
    model: str
    max_tokens: int
    system: list[_Block] | None = None
    messages: list[_Message]
    temperature: float | None = None
    top_p: float | None = None
    stream: bool = False


_encode = msgspec.json.Encoder().encode


def write_plain(request: CanonicalRequest, model: str, known: Capabilities) -> bytes | None:
    """None for any other request, and where the model does not take all of it as it is."""
    turns, sampling = plain_turns(request), request.sampling
    if turns is None or (sampling != UNSAMPLED and not _takes(known, sampling)):
        return None
    limit, most = request.max_output_tokens, known.max_output
    if limit is None:
        limit = most or DEFAULT_MAX_TOKENS
    elif limit < 1 or (most is not None and limit > most):
        return None
    instructions = request.instructions
    body = _Body(
        model=model,
        max_tokens=limit,
        system=[_Block(each.text) for each in instructions] if instructions else None,
        messages=[_Message(speaker, list(map(_Block, texts))) for speaker, texts in turns],
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        stream=request.stream,
    )
    return _encode(body)


def _takes(known: Capabilities, wish: Sampling) -> bool:
    if not known.sampling or known.thinks_unasked != "no":
        return False
    if wish.temperature is not None and wish.temperature > 1:
        return False
    return wish.temperature is None or wish.top_p is None or known.temperature_with_top_p
