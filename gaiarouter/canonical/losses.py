"""What a translation could not carry over, by the caller's own names of fields.

`adapt`: something near it was sent. `drop`: nothing was. `refuse`: without it the answer would be another one than the
caller asked for. A strict caller is refused all three, save what is dropped blindly.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from gaiarouter.errors import InvalidRequest


class Loss(Struct, frozen=True):
    path: str
    kind: Literal["adapt", "drop"]
    reason: str


class Marked(Protocol):
    """What may carry a cache breakpoint."""

    @property
    def path(self) -> str: ...

    @property
    def cache(self) -> object | None: ...


class Losses(Struct):
    """Collects them while one request is written for one target. found: by path."""

    strict: bool
    found: dict[str, Loss] = {}

    def adapt(self, path: str, reason: str) -> None:
        self._note(Loss(path, "adapt", reason))

    def drop(self, path: str, reason: str, *, blind: bool = False) -> None:
        """blind: callers send it to everybody, so that strictness would refuse nearly all of them."""
        if blind:
            self.found.setdefault(path, Loss(path, "drop", reason))
        else:
            self._note(Loss(path, "drop", reason))

    def drop_breakpoint(self, marked: Marked, reason: str) -> None:
        """Where one cannot stand."""
        if marked.cache is not None:
            self.drop(marked.path, reason, blind=True)

    def all(self) -> tuple[Loss, ...]:
        return tuple(self.found.values()) if self.found else ()

    def _note(self, loss: Loss) -> None:
        if self.strict:
            raise refused(loss.path, loss.reason)
        self.found.setdefault(loss.path, loss)


def refused(path: str, reason: str, *, code: str = "unsupported_parameter") -> InvalidRequest:
    """The error that names the field."""
    return InvalidRequest(f"`{path}`: {reason}", code=code, param=path)
