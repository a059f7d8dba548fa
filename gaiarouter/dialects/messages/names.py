"""Names and ids that a Messages request accepts, made from those it does not, and the way back."""

from __future__ import annotations

import re

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
MAX_NAME_CHARS = 128
MAX_ID_CHARS = 256


class Names:
    """A one-to-one map, the same for the same names in the same order: a longer conversation keeps what a shorter one
    was given."""

    def __init__(self, *, max_chars: int) -> None:
        self._max_chars = max_chars
        self._wire: dict[str, str] = {}
        self._taken: set[str] = set()

    def reserve(self, names: list[str]) -> None:
        """Those that are legal keep themselves, whatever comes before them."""
        for name in names:
            if name == self._legal(name):
                self.wire(name)

    def wire(self, name: str) -> str:
        known = self._wire.get(name)
        if known is not None:
            return known
        self._wire[name] = chosen = self.fresh(self._legal(name))
        return chosen

    def fresh(self, base: str) -> str:
        """`base`, or with a number after it, so that it is nobody else's."""
        chosen, count = base, 1
        while chosen in self._taken:
            count += 1
            suffix = f"_{count}"
            chosen = base[: self._max_chars - len(suffix)] + suffix
        self._taken.add(chosen)
        return chosen

    def renamed(self) -> dict[str, str]:
        """Wire name -> the caller's, where they differ."""
        return {wire: name for name, wire in self._wire.items() if wire != name}

    def _legal(self, name: str) -> str:
        return _ILLEGAL.sub("_", name)[: self._max_chars] or "_"
