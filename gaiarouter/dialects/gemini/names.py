"""Names of functions as a Gemini request accepts them."""

from __future__ import annotations

import re

from gaiarouter.dialects.naming import Naming

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.:-]")
_FIRST = re.compile(r"[a-zA-Z_]")


class Names(Naming):
    def legal(self, name: str) -> str:
        clean = _ILLEGAL.sub("_", name)
        return clean if _FIRST.match(clean) else f"_{clean}"
