"""Names that a wire format accepts, made from those it does not, and the way back."""

from __future__ import annotations

from msgspec import Struct


class Naming(Struct, kw_only=True):
    """A one-to-one map, the same for the same names in the same order: a longer conversation keeps what a shorter one
    was given. Each format says in `legal` what a name may look like.

    given: the caller's name -> what goes over the wire.
    """

    max_chars: int
    given: dict[str, str] = {}
    taken: set[str] = set()

    def legal(self, name: str) -> str:
        """The nearest name that is allowed, of whatever length; `name` itself if it is."""
        raise NotImplementedError

    def reserve(self, names: list[str]) -> None:
        """Those that are legal keep themselves, whatever comes before them."""
        for name in names:
            if name == self._fitting(name):
                self.wire(name)

    def wire(self, name: str) -> str:
        known = self.given.get(name)
        if known is not None:
            return known
        self.given[name] = chosen = self.fresh(self._fitting(name))
        return chosen

    def fresh(self, base: str) -> str:
        """`base`, or with a number after it, so that it is nobody else's."""
        chosen, count = base, 1
        while chosen in self.taken:
            count += 1
            suffix = f"_{count}"
            chosen = base[: self.max_chars - len(suffix)] + suffix
        self.taken.add(chosen)
        return chosen

    def renamed(self) -> dict[str, str]:
        """Wire name -> the caller's, where they differ."""
        return {wire: name for name, wire in self.given.items() if wire != name}

    def _fitting(self, name: str) -> str:
        return self.legal(name)[: self.max_chars]
