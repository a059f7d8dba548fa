"""What must pass through a caller's hands unread, as one text that the gateway knows again as its own.

A caller of a format with signatures sends them back as they came. What another format's provider sealed travels in
their place, is opened on the way back, goes to whoever sealed it, and to nobody else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

_PREFIX: Final = "gw1."
_Payload = TypeVar("_Payload")


def is_sealed(text: Raw) -> bool:
    """Of a JSON string as it stands in a body."""
    return bytes(text).startswith(b'"' + _PREFIX.encode())


def wrap(payload: msgspec.Struct) -> str:
    """Of letters that base64 for addresses has, and a dot."""
    return _PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(payload)).decode().rstrip("=")


def unwrap(text: str, decode: Callable[[bytes], _Payload]) -> _Payload | None:
    """decode: a msgspec decoder's. None for a text that the gateway did not make."""
    if not text.startswith(_PREFIX):
        return None
    payload = text.removeprefix(_PREFIX)
    try:
        return decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
