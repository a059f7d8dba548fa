"""What is read of an answer that goes by: an error in place of one, and what it used."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from gaiarouter.canonical.usage import Modalities, ToldCount, Usage
from gaiarouter.dialects.base import Answer
from gaiarouter.dialects.chat.provider_errors import read_error_in_answer
from gaiarouter.dialects.chat.wire import ABSENT, is_truthy
from gaiarouter.errors import BadAnswer

_Number = Annotated[float, Meta(ge=0, le=1e9)] | None


class _Details(Struct, gc=False):
    audio_tokens: ToldCount = None
    image_tokens: ToldCount = None


class _Usage(Struct, gc=False):
    """Each vendor's names; the details of inputs are spelt in two ways by one of them."""

    prompt_tokens: ToldCount = None
    completion_tokens: ToldCount = None
    input_tokens: ToldCount = None
    output_tokens: ToldCount = None
    total_tokens: ToldCount = None
    seconds: _Number = None
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Billed(Struct, gc=False):
    search_units: _Number = None
    input_tokens: _Number = None


class _Meta(Struct, gc=False):
    billed_units: _Billed | None = None


class _Body(Struct, gc=False):
    error: Raw = ABSENT
    usage: Raw = ABSENT
    meta: Raw = ABSENT
    data: list[Raw] | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_meta = msgspec.json.Decoder(_Meta).decode


def read_answer(body: bytes, *, otherwise: Usage, pictures: bool) -> Answer:
    """A 200 that is JSON; its bytes go on. otherwise: used where it tells nothing of that, and with what units the
    request itself named. pictures: each item of `data` is one.

    Raises BadAnswer, or the error that it holds.
    """
    try:
        body.decode()
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not JSON of the form that was asked for") from error
    if is_truthy(answer.error):
        raise read_error_in_answer(body)
    usage = read_usage(answer.usage, answer.meta, otherwise=otherwise)
    if pictures and answer.data:
        usage = replace(usage, units={**(usage.units or {}), "images": len(answer.data)})
    return Answer(body, usage, 0, None)


def read_usage(raw: Raw, meta: Raw = ABSENT, *, otherwise: Usage) -> Usage:
    """What was told, or `otherwise`."""
    found, billed = _told(raw), _billed(meta)
    told = found or _Usage()
    counted = {"audio_seconds": told.seconds, "search_units": billed.search_units}
    units = {**(otherwise.units or {}), **{name: value for name, value in counted.items() if value is not None}}
    output = told.output_tokens or told.completion_tokens or 0
    whole = told.input_tokens or told.prompt_tokens or int(billed.input_tokens or 0)
    # some tell the sum alone
    read = whole or max(0, (told.total_tokens or 0) - output)
    usage = otherwise
    if read or output or len(units) > len(otherwise.units or {}):
        usage = Usage(in_uncached=read, out_visible=output, modalities=_modalities(told), units=units or None)
    return usage if found is not None else replace(usage, rejected=True)


def _modalities(told: _Usage) -> Modalities | None:
    came, left = told.input_tokens_details or told.input_token_details, told.output_tokens_details
    if came is None and left is None:
        return None
    came, left = came or _Details(), left or _Details()
    return Modalities(
        in_audio=came.audio_tokens,
        in_image=came.image_tokens,
        out_audio=left.audio_tokens,
        out_image=left.image_tokens,
    )


def _told(raw: Raw) -> _Usage | None:
    """None for what is none to believe."""
    try:
        return _decode_usage(raw) if is_truthy(raw) else _Usage()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _billed(raw: Raw) -> _Billed:
    try:
        return _decode_meta(raw).billed_units or _Billed()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Billed()
