"""Changes members of a JSON object in its own bytes: what no change names stays as it was, to the byte.

Spelling of numbers, escapes and blank space survive that way, and with them the provider's prompt cache.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
# blank space, the comma, a name, the colon: what lies between two values of an object known to be JSON
_GAP = re.compile(rb'[ \t\r\n{,]*+("(?:[^"\\]|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_TAIL = re.compile(rb"[ \t\r\n{]*+\}[ \t\r\n]*+")


class DuplicateMember(ValueError):
    """A name is given twice. Readers differ in which one they take, so that nobody may."""


class Span(NamedTuple):
    """Offsets in the object's bytes. `gap` is where the value before it ends, `name` where its own name begins."""

    gap: int
    name: int
    value: int
    end: int


class JsonObject:
    """A JSON object's bytes, and where its members lie in them. `spans` is in the order of the bytes."""

    __slots__ = ("body", "members", "spans")

    def __init__(self, body: bytes) -> None:
        """Raises what msgspec raises for anything but a JSON object, and DuplicateMember."""
        self.body = body
        self.members = _decode_members(body)
        self.spans = _locate(body, self.members)

    def patched(self, values: Mapping[str, bytes], drop: Collection[str] = ()) -> bytes:
        """These bytes with members replaced or added at the end (`values`, each JSON) and others taken out."""
        if drop and not self.spans.keys().isdisjoint(drop):
            return JsonObject(self._without(drop)).patched(values)
        body = self.body
        pieces: list[bytes | memoryview] = []
        view, position = memoryview(body), 0
        changed = [(self.spans[name], value) for name, value in values.items() if name in self.spans]
        for span, value in sorted(changed):
            if body[span.value : span.end] != value:
                pieces += (view[position : span.value], value)
                position = span.end
        added = [msgspec.json.encode(name) + b":" + value for name, value in values.items() if name not in self.spans]
        if added:
            end = self._end_of_last()
            pieces += (view[position:end], b"," if self.spans else b"", b",".join(added))
            position = end
        return b"".join((*pieces, view[position:])) if pieces else body

    def _end_of_last(self) -> int:
        for span in reversed(self.spans.values()):
            return span.end
        return self.body.index(b"{") + 1

    def _without(self, drop: Collection[str]) -> bytes:
        """Each kept member keeps the blank space and the comma before it; the first one left, those of the first."""
        body, spans = self.body, self.spans
        kept = [span for name, span in spans.items() if name not in drop]
        first = next(iter(spans.values()))
        pieces = [body[: first.name]]
        for position, span in enumerate(kept):
            pieces.append(body[span.name if position == 0 else span.gap : span.end])
        pieces.append(body[self._end_of_last() :])
        return b"".join(pieces)


def _locate(body: bytes, members: Mapping[str, Raw]) -> dict[str, Span]:
    """Walk from value to value. msgspec keeps a name's first place with its last value, so that a name given twice
    shows as bytes that do not continue as they must."""
    spans: dict[str, Span] = {}
    position = 0
    for name, value in members.items():
        gap = _GAP.match(body, position)
        if gap is None or not body.startswith(value, gap.end()):
            raise DuplicateMember
        start, end = gap.end(), gap.end() + memoryview(value).nbytes
        spans[name] = Span(position, gap.start(1), start, end)
        position = end
    if not _TAIL.fullmatch(body, position):
        raise DuplicateMember
    return spans
