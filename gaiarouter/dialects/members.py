"""Changes members of a JSON object in its own bytes: what no change names stays as it was, to the byte.

Spelling of numbers, escapes and blank space survive that way, and with them the provider's prompt cache.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

# no format has a hundred; each costs a step of our own, and tens of thousands would hold up everybody
_Members = Annotated[dict[str, Raw], Meta(max_length=1024)]
_decode_members = msgspec.json.Decoder(_Members).decode
# blank space, the comma, a name, the colon: what lies between two values of an object known to be JSON
_GAP = re.compile(rb'[ \t\r\n{,]*+("(?:[^"\\]|\\.)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_TAIL = re.compile(rb"[ \t\r\n{]*+\}[ \t\r\n]*+")


class DuplicateMember(ValueError):
    """A name is given twice. Readers differ in which one they take, so that nobody may."""


# where the value before a member ends, where its name begins, where its value begins and ends
Span = tuple[int, int, int, int]


class JsonObject:
    """A JSON object's bytes, and its members in the order of the bytes."""

    __slots__ = ("_spans", "body", "members")

    def __init__(self, body: bytes) -> None:
        """Raises what msgspec raises for anything but a JSON object, and DuplicateMember."""
        self.body = body
        self.members = members = _decode_members(body)
        self._spans = None if _is_compact(body, members) else _walk(body, members)

    @property
    def spans(self) -> dict[str, Span]:
        """Where the members lie, in the order of the bytes."""
        if self._spans is None:
            self._spans = dict(_places(self.members))
        return self._spans

    def widened(self, name: str, body: bytes, start: int, end: int) -> JsonObject | None:
        """The object `body`, which is this one but for the JSON value at [start:end], where this one has `[]`; None if
        that is not the value of the member `name`. Nothing of it is read again."""
        if (own := self.spans.get(name)) is None or own[2:] != (start, start + 2):
            return None
        more = end - start - 2
        wide = JsonObject.__new__(JsonObject)
        wide.body = body
        wide.members = self.members | {name: Raw(memoryview(body)[start:end])}
        wide._spans = {each: _moved(span, start, more) for each, span in self.spans.items()}
        return wide

    def replaced(self, name: str, value: bytes) -> bytes:
        """These bytes with one member's value (JSON) replaced, or with that member added."""
        for each, (_, _, start, end) in _places(self.members) if self._spans is None else self._spans.items():
            if each == name:
                view = memoryview(self.body)
                return self.body if view[start:end] == value else b"".join((view[:start], value, view[end:]))
        return self.patched({name: value})

    def patched(self, values: Mapping[str, bytes], drop: Collection[str] = ()) -> bytes:
        """These bytes with members replaced or added at the end (`values`, each JSON) and others taken out."""
        if drop and not self.spans.keys().isdisjoint(drop):
            return JsonObject(self._without(drop)).patched(values)
        body, spans = self.body, self.spans
        changes: list[tuple[int, int, bytes]] = []
        comma = b"," if spans else b""
        for name, value in values.items():
            if (span := spans.get(name)) is None:
                end = self._end_of_last()
                changes.append((end, end, comma + msgspec.json.encode(name) + b":" + value))
                comma = b","
            elif body[span[2] : span[3]] != value:
                changes.append((span[2], span[3], value))
        return self._spliced(changes) if changes else body

    def _spliced(self, changes: list[tuple[int, int, bytes]]) -> bytes:
        """(from, to, bytes to put there), which do not overlap; several at one place in their order."""
        changes.sort(key=_start)
        view, position = memoryview(self.body), 0
        pieces: list[bytes | memoryview] = []
        for start, end, value in changes:
            pieces += (view[position:start], value)
            position = end
        pieces.append(view[position:])
        return b"".join(pieces)

    def _end_of_last(self) -> int:
        for _, _, _, end in reversed(self.spans.values()):
            return end
        return self.body.index(b"{") + 1

    def _without(self, drop: Collection[str]) -> bytes:
        """Each kept member keeps the blank space and the comma before it; the first one left, those of the first."""
        body, spans = self.body, self.spans
        kept = [span for name, span in spans.items() if name not in drop]
        _, first_name, _, _ = next(iter(spans.values()))
        pieces = [body[:first_name]]
        for position, (gap, own_name, _, end) in enumerate(kept):
            pieces.append(body[own_name if position == 0 else gap : end])
        pieces.append(body[self._end_of_last() :])
        return b"".join(pieces)


class HasMembers:
    """A request that keeps the object that it was read from."""

    __slots__ = ()
    _object: JsonObject

    def member(self, name: str) -> Raw | None:
        return self._object.members.get(name)


def edited_members(
    members: JsonObject, *, default: Mapping[str, Any], set_: Mapping[str, Any], drop: tuple[str, ...]
) -> bytes | None:
    """The object after a route's edits; None if there are none. null says nothing: a default takes its place."""
    given = {name for name, value in members.members.items() if bytes(value) != b"null"}
    changes = {name: value for name, value in default.items() if name not in given} | dict(set_)
    values = {name: msgspec.json.encode(value) for name, value in changes.items() if name not in drop}
    return members.patched(values, drop) if values or drop else None


def asking_for_usage(members: JsonObject) -> dict[str, bytes]:
    """The member of a Chat request that asks for a usage event, with what else the caller has put into it."""
    options = members.members.get("stream_options")
    if options is None or bytes(options) == b"null":
        return {"stream_options": b'{"include_usage":true}'}
    return {"stream_options": JsonObject(bytes(options)).patched({"include_usage": b"true"})}


def _start(change: tuple[int, int, bytes]) -> int:
    return change[0]


def _moved(span: Span, start: int, more: int) -> Span:
    """What lies behind `start` lies `more` bytes further on."""
    gap, name, value, end = span
    if end <= start:
        return span
    return (gap, name, value, end + more) if value <= start else (gap + more, name + more, value + more, end + more)


def _is_compact(body: bytes, members: Mapping[str, Raw]) -> bool:
    """Most clients write no blank space. Then the members alone account for every byte, which also proves that no
    name is given twice: a second one would make the body longer than all that is known of it."""
    return sum(map(len, members)) + sum(map(len, members.values())) + 4 * len(members) + 1 == len(body)


def _places(members: Mapping[str, Raw]) -> Iterator[tuple[str, Span]]:
    """Where each lies in an object without blank space."""
    position = 1
    for name, value in members.items():
        start = position + len(name) + 3
        end = start + len(value)
        yield name, (position - 1, position, start, end)
        position = end + 1


def _walk(body: bytes, members: Mapping[str, Raw]) -> dict[str, Span]:
    """From value to value, whatever lies between. msgspec keeps a name's first place with its last value, so that a
    name given twice shows as bytes that do not continue as they must."""
    spans: dict[str, Span] = {}
    position = 0
    for name, value in members.items():
        gap = _GAP.match(body, position)
        if gap is None or not body.startswith(value, gap.end()):
            raise DuplicateMember
        start = gap.end()
        end = start + len(value)
        spans[name] = (position, gap.start(1), start, end)
        position = end
    if not _TAIL.fullmatch(body, position):
        raise DuplicateMember
    return spans
