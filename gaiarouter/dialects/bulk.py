"""A large request is mostly one array, its conversation. That is read by itself, and the rest with `[]` in its place:
each byte once, not for its types and then again for where members lie.

Where the array begins and ends is guessed, and nothing rests on the guess: where the rest is an object whose member is
that `[]`, and what was cut out is an array, both together are what the body holds. Where the array turns out to end
before, it is read again; all else is read as a whole.
"""

from __future__ import annotations

import re
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from gaiarouter.dialects.members import DuplicateMember, JsonObject

_Body = TypeVar("_Body", bound=Struct)

_EDGE: Final = 1024
"""Bytes at either end of a body, where the array begins and ends if no other member is of size."""
_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_SPACE: Final = rb"[ \t\r\n]*+"


class Bulk(Generic[_Body]):
    """Reads bodies of type `body`, whose member `name` holds an array of `element`."""

    def __init__(self, body: type[_Body], name: str, element: type[Struct]) -> None:
        self._name = name
        self._decode_rest = msgspec.json.Decoder(body).decode
        self._decode_array = msgspec.json.Decoder(list[element]).decode  # type: ignore[valid-type]  # of a type as a value
        self._begin = re.compile(b'"%b"%b:%b' % (re.escape(name.encode()), _SPACE, _SPACE))
        self._end = _end_before(set(body.__struct_encode_fields__).difference(element.__struct_encode_fields__))

    def read(self, body: bytes) -> tuple[_Body, JsonObject] | None:
        """body: valid UTF-8. None where the array is not found, and where anything is wrong."""
        begin = self._begin.search(body, 0, max(len(body) // 4, _EDGE))
        if begin is None or not body.startswith(b"[", start := begin.end()):
            return None
        if (guess := self._guess(body, start)) is None:
            return None
        try:
            array, end = self._array(body, start, guess)
            rest = body[:start] + b"[]" + body[end:]
            members = JsonObject(rest).widened(self._name, body, start, end)
            if members is None:
                return None
            request = self._decode_rest(rest)
        except (msgspec.DecodeError, DuplicateMember, RecursionError):
            return None
        setattr(request, self._name, array)
        return request, members

    def _guess(self, body: bytes, start: int) -> int | None:
        """Where the array ends that begins at `start`."""
        near, far = max(len(body) - _EDGE, start), max(len(body) - len(body) // 4, start)
        end = self._end.search(body, near) or self._end.search(body, far)
        return None if end is None else end.end(1)

    def _array(self, body: bytes, start: int, guess: int) -> tuple[list[Any], int]:
        """With its end, which is before the guess where another array was taken for it."""
        view = memoryview(body)
        try:
            return self._decode_array(view[start:guess]), guess
        except msgspec.DecodeError as error:
            if (early := _TRAILING.search(str(error))) is None:
                raise
            end = body.rindex(b"]", start, start + int(early[1])) + 1
            return self._decode_array(view[start:end]), end


def _end_before(names: set[str]) -> re.Pattern[bytes]:
    """The end of an array of objects (the first group) that one of `names` or nothing follows.

    What is said ends in a text or an array. Definitions of tools mostly end otherwise, and are not taken for it.
    """
    follows = b"|".join(sorted(re.escape(name.encode()) for name in names))
    return re.compile(
        b'(\\])(?<=["\\]]\\}\\])%(space)b(?:,%(space)b"(?:%(follows)b)"%(space)b:|\\}%(space)b\\Z)'
        % {b"space": _SPACE, b"follows": follows}
    )
