"""Names and ids as a Responses request accepts them."""

from __future__ import annotations

import re

from gaiarouter.dialects.naming import Naming

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
MAX_CHARS = 64
"""Of a function's name, and of a call's id."""


class Names(Naming):
    def legal(self, name: str) -> str:
        return _ILLEGAL.sub("_", name) or "_"


class CallIds(Naming):
    """Any text will do, as long as it is short."""

    def legal(self, name: str) -> str:
        return name or "_"
