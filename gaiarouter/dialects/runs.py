"""Many events of a stream read in one go: those of one form that come together are read as one JSON array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from gaiarouter.dialects.sse import check_utf8

_T = TypeVar("_T")
_R = TypeVar("_R")
_E = TypeVar("_E")
MOST_AT_ONCE: Final = 1 << 14
"""Bytes that are tried at once."""
_GROWTH: Final = 4
_LF: Final = 0x0A


class RunReader:
    """Finds the runs in a stream. One instance per answer."""

    def __init__(self) -> None:
        self._size = 0

    def read(
        self, events: bytes, *, run: Callable[[bytes], _R | None], read: Callable[[bytes], list[_E]]
    ) -> list[_E | _R]:
        """What `events`, whole ones, say. After a run more is tried at once; where several are none, only one.

        run: what some whole events say together, None where that is no run. read: what one of them says.
        """
        if self._size and len(events) <= MOST_AT_ONCE:
            whole = run(events)
            if whole is not None:
                return [whole]  # as nearly always
        end, length = _end(events), len(events)
        told: list[_E | _R] = []
        at = 0
        while at < length:
            found_at = events.find(end, at)
            stop = first = found_at + len(end)
            if found_at < 0 or length - first < len(end):
                stop = first = length  # a line end besides belongs to the event before it
            if first < length and self._size > first - at:
                last = events.rfind(end, at, at + self._size)
                if last >= first and events[last - 1] != _LF:  # of more line ends in a row not all end an event
                    stop = last + len(end)
            some = events[at:stop]
            found = run(some)
            if found is not None:
                told.append(found)
                self._size = min(max(self._size, _GROWTH * len(some)), MOST_AT_ONCE)
            else:
                self._size = 0
                if stop > first:
                    continue
                told += read(some)
            at = stop
        return told


def read_alike(events: bytes, decoder: msgspec.json.Decoder[list[_T]], *, start: bytes) -> list[_T]:
    """The data of `events`, each an object in one line after `start`. Empty where one of them is not.

    Whatever else stands between two of them leaves a line end, or makes the array no JSON. A tab parts the objects
    there: it may stand in no text, so that none can begin in one event and end in the next. What one event has too many
    and the next too few is not seen: of that only a provider could make something that means to.
    """
    end = _end(events)
    if not (events.startswith(start) and events.endswith(end)):
        return []
    border = b"}" + end + start + b"{"
    objects = events[len(start) : -len(end)].replace(border, b"},\t{")
    if b"\n" in objects or b"\r" in objects:
        return []
    try:
        check_utf8(objects)
        found = decoder.decode(b"[" + objects + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    less = len(events) - len(start) - len(end) - len(objects)  # four bytes stand for each border
    borders = less // (len(border) - 4) if less else 0
    return found if len(found) == borders + 1 else []


def _end(events: bytes) -> bytes:
    """What nearly all of them end in."""
    return b"\r\n\r\n" if events.endswith(b"\r\n") else b"\n\n"
