"""A request's body as JSON: of the types that a dialect wants, and in its own bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from gaiarouter.dialects.members import DuplicateMember, JsonObject
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.errors import InvalidRequest

_Body = TypeVar("_Body")
_LARGE: Final = 16 * 1024
"""Bytes from which on it pays to look for the array that most of a body is."""
_BYTE = re.compile(r"\(byte (\d+)\)")


def parse(
    body: bytes,
    decode: Callable[[bytes], _Body],
    read_large: Callable[[bytes], tuple[_Body, JsonObject] | None] | None = None,
) -> tuple[_Body, JsonObject]:
    """decode: a msgspec decoder's. read_large: a Bulk's of the same type. Raises InvalidRequest with the path of the
    first wrong field; its message holds nothing of the body."""
    try:
        if not body.isascii():
            body.decode()  # the decoder skips what it does not read, broken UTF-8 too
        if len(body) >= _LARGE and read_large is not None and (found := read_large(body)) is not None:
            return found
        return decode(body), JsonObject(body)
    except msgspec.ValidationError as error:
        raise wrong_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON{_place(error)}", code="invalid_json") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply", code="invalid_json") from None
    except DuplicateMember:
        raise InvalidRequest("The body names a member twice", code="invalid_json") from None


def unread(body: bytes) -> None:
    """In place of a decoder, for who wants the members alone."""


def _place(error: msgspec.DecodeError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f": byte {error.start} is no UTF-8"
    byte = _BYTE.search(str(error))
    return f" at byte {byte.group(1)}" if byte else ""
