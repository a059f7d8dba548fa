"""A whole answer that is one candidate with one text, as most are: read in one go.

`reader` reads the same of it, and everything else.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import Aside, CanonicalAnswer, Choice
from gaiarouter.canonical.parts import Sealed, Text
from gaiarouter.dialects.gemini import wire
from gaiarouter.dialects.gemini.finish import finish_of
from gaiarouter.dialects.gemini.parts import DIALECT, SIGNATURE_FORMAT
from gaiarouter.dialects.gemini.reader import seconds
from gaiarouter.dialects.gemini.usage import read_usage


class _Part(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    text: str
    thought_signature: str | None = None


class _Content(Struct, gc=False):
    parts: tuple[_Part]


class _Candidate(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    content: _Content
    index: int | None = None
    finish_reason: str | int | None = None
    avg_logprobs: Raw = wire.ABSENT


class _Response(Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    candidates: tuple[_Candidate]
    usage_metadata: Raw = wire.ABSENT
    response_id: str | None = None
    model_version: str | None = None
    create_time: str | None = None


_decode = msgspec.json.Decoder(_Response).decode


def read_plain(body: bytes) -> CanonicalAnswer | None:
    """None for any other answer. Raises Failed where what the model made is of no use."""
    try:
        response = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    told = response.candidates[0]
    part, index = told.content.parts[0], told.index or 0
    signature = part.thought_signature
    sealed = Sealed("encrypted", SIGNATURE_FORMAT, signature) if signature else None
    finish = finish_of(told.finish_reason, message=None, calls=False, all_declared=True, choice=index)
    probability = told.avg_logprobs
    return CanonicalAnswer(
        id=response.response_id or "",
        model=response.model_version or "",
        choices=(Choice(index, (Text(text=part.text, sealed=sealed),) if part.text or sealed else (), finish),),
        created=None if response.create_time is None else seconds(response.create_time),
        usage=read_usage(response.usage_metadata),
        asides=(Aside(f"candidates[{index}].avgLogprobs", probability, DIALECT),) if wire.is_given(probability) else (),
    )
