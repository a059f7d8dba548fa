"""A vector's two spellings: a JSON array of numbers, and base64 of little-endian float32."""

from __future__ import annotations

import base64
import binascii
import struct
from array import array

import msgspec
from msgspec import Raw

from gaiarouter.canonical.embeddings import Vector
from gaiarouter.errors import BadAnswer

_decode_numbers = msgspec.json.Decoder(list[float]).decode


def as_array(vector: Vector, *, dimensions: int | None) -> Raw:
    """The JSON array. dimensions: of the vector, where the request named them: an old server sends float64."""
    if not isinstance(vector.numbers, str):
        return vector.numbers
    data = _bytes_of(vector.numbers)
    width = "d" if dimensions is not None and len(data) == 8 * dimensions else "f"
    count, rest = divmod(len(data), struct.calcsize(f"<{width}"))
    if rest:
        raise BadAnswer("The provider's vector is not whole numbers long")
    return Raw(msgspec.json.encode([_shortest(number) for number in struct.unpack(f"<{count}{width}", data)]))


def as_base64(vector: Vector, *, dimensions: int | None) -> str:
    """As OpenAI's clients read it, whatever came. dimensions: as of `as_array`."""
    if isinstance(vector.numbers, str):
        data = _bytes_of(vector.numbers)
        if dimensions is None or len(data) != 8 * dimensions:
            return vector.numbers
        numbers = list(struct.unpack(f"<{dimensions}d", data))
    else:
        numbers = _numbers_of(vector.numbers)
    try:
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode("ascii")
    except OverflowError as error:
        raise BadAnswer("The provider's vector holds a number that is no float32") from error


def _numbers_of(text: Raw) -> list[float]:
    try:
        return _decode_numbers(text)
    except msgspec.MsgspecError as error:
        raise BadAnswer("The provider's vector is no list of numbers") from error


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAnswer("The provider's vector is no base64") from error


def _shortest(number: float) -> float:
    """Fewest digits that are the same float32 again: 0.1, not 0.10000000149011612."""
    for digits in (6, 7, 8, 9):
        shorter = float(f"{number:.{digits}g}")
        if array("f", [shorter])[0] == number:
            return shorter
    return number
