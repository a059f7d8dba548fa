"""How the events of a stream lie in the bytes that a caller gets, where it is not as they are."""

from __future__ import annotations

from typing import Protocol


class Framing(Protocol):
    """One instance per answer."""

    @property
    def media_type(self) -> str: ...

    @property
    def keepalive(self) -> bytes:
        """Says nothing, between any two events and before the first."""
        ...

    def frame(self, data: bytes) -> bytes:
        """data: whole events of the dialect."""
        ...

    def end(self) -> bytes:
        """What completes the stream after its last event, an error's too."""
        ...
