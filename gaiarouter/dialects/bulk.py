"""A large request is mostly one array, its conversation. That is read by itself, and the rest with `[]` in its place:
each byte once, not for its types and then again for where members lie.

Where the array begins and ends is guessed, and nothing rests on the guess: where the rest is an object whose member is
that `[]`, and what was cut out is an array, both together are what the body holds. All else is read as a whole.
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
_SPACE: Final = rb"[ \t\r\n]*+"


class Bulk(Generic[_Body]):
    """Reads bodies of type `body`, whose member `name` holds an array of `element`."""

    def __init__(self, body: type[_Body], name: str, element: type[Struct]) -> None:
        self._name = name
        self._decode_rest = msgspec.json.Decoder(body).decode
        self._decode_array = msgspec.json.Decoder(list[element]).decode  # type: ignore[valid-type]  # of a type as a value
        self._begin = re.compile(b'"%b"%b:%b(?=\\[)' % (re.escape(name.encode()), _SPACE, _SPACE))
        self._end = _end_before(set(body.__struct_encode_fields__).difference(element.__struct_encode_fields__))

    def read(self, body: bytes) -> tuple[_Body, JsonObject] | None:
        """body: valid UTF-8. None where the array is not found, and where anything is wrong."""
        size, far = len(body), max(len(body) // 4, _EDGE)
        begin = self._begin.search(body, 0, far)
        end = self._end.search(body, size - _EDGE) or self._end.search(body, size - far)
        if begin is None or end is None or end.end(1) <= begin.end():
            return None
        start, stop = begin.end(), end.end(1)
        rest = body[:start] + b"[]" + body[stop:]
        try:
            members = JsonObject(rest).widened(self._name, body, start, stop)
            if members is None:
                return None
            request = self._decode_rest(rest)
            array: list[Any] = self._decode_array(memoryview(body)[start:stop])
        except (msgspec.DecodeError, DuplicateMember, RecursionError):
            return None
        setattr(request, self._name, array)
        return request, members


def _end_before(names: set[str]) -> re.Pattern[bytes]:
    """The end of an array of objects (its bracket ends the first group) that one of `names` or nothing follows.

    Definitions of tools end in an object within an object, and are not taken for it.
    """
    follows = b"|".join(sorted(re.escape(name.encode()) for name in names))
    return re.compile(
        b'(\\}(?<!\\}\\})%(space)b\\])%(space)b(?:,%(space)b"(?:%(follows)b)"%(space)b:|\\}%(space)b\\Z)'
        % {b"space": _SPACE, b"follows": follows}
    )
