"""Names of functions and ids of calls as Chat requests hold them."""

from __future__ import annotations

import hashlib
import re
import string
from typing import Literal

from gaiarouter.dialects.naming import Naming

MAX_NAME_CHARS = 64
_MAX_ID_CHARS = 40
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_NINE = re.compile(r"[a-zA-Z0-9]{9}")
_LETTERS = string.digits + string.ascii_letters


class Names(Naming):
    def legal(self, name: str) -> str:
        return _ILLEGAL.sub("_", name) or "_"


def legal_id(call_id: str, rule: Literal["any", "40", "9"]) -> str:
    """The same id for the same call, in whatever message it stands."""
    if rule == "9":
        return call_id if _NINE.fullmatch(call_id) else _letters_of(call_id, 9)
    if rule == "40" and len(call_id) > _MAX_ID_CHARS:
        return f"call_{_letters_of(call_id, 24)}"
    return call_id


def _letters_of(text: str, count: int) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    letters = []
    for _ in range(count):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)
