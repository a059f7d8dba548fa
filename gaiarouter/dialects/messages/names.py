"""Names and ids as a Messages request accepts them."""

from __future__ import annotations

import re

from gaiarouter.dialects.naming import Naming

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
MAX_NAME_CHARS = 128
MAX_ID_CHARS = 256


class Names(Naming):
    def legal(self, name: str) -> str:
        return _ILLEGAL.sub("_", name) or "_"
