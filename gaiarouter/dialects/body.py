"""A request's body as JSON: of the types that a dialect wants, and in its own bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from gaiarouter.dialects.members import DuplicateMember, JsonObject
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.errors import InvalidRequest

_Body = TypeVar("_Body")
_BYTE = re.compile(r"\(byte (\d+)\)")


def parse(body: bytes, decode: Callable[[bytes], _Body]) -> tuple[_Body, JsonObject]:
    """decode: a msgspec decoder's. Raises InvalidRequest with the path of the first wrong field; its message holds
    nothing of the body."""
    try:
        if not body.isascii():
            body.decode()  # the decoder skips what it does not read, broken UTF-8 too
        return decode(body), JsonObject(body)
    except msgspec.ValidationError as error:
        raise wrong_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON{_place(error)}", code="invalid_json") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply", code="invalid_json") from None
    except DuplicateMember:
        raise InvalidRequest("The body names a member twice", code="invalid_json") from None


def _place(error: msgspec.DecodeError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f": byte {error.start} is no UTF-8"
    byte = _BYTE.search(str(error))
    return f" at byte {byte.group(1)}" if byte else ""
