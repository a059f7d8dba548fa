"""Server-sent events, cut out of a byte stream and read.

Two rules hold here. Work is done on bytes, at LF, CR and CRLF only: `str.splitlines` would also split at U+2028, which
is legal inside JSON. And every byte is looked at once, whatever the reads: a line that comes a byte at a time costs
as much as one that comes whole.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
# the first line end must not give back the LF of its CRLF, or one line end would count as two
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
# nearly every event: perhaps a name, then one line of data
_USUAL = re.compile(rb"(?:event: ?([^\r\n]*+)\r?\n)?data: ?([^\r\n]*+)\r?\n\r?\n")
_LONGEST_BLANK_LINE = 4
_CR = 0x0D
_SHORT = 64 * 1024
"""Bytes that may be looked at once more with each read."""


class EventFramer:
    """Cuts a stream into whole events. One instance per stream.

    An event is handed out as the very bytes it came in, its blank line included: all events and the rest from
    `close`, joined, are the stream less a byte order mark. `overflowed`: the event under way is longer than
    `limit`, and the stream of no more use.
    """

    __slots__ = ("_carriage_returns", "_limit", "_pending", "_started", "overflowed")

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._started = False
        self._carriage_returns = False
        self.overflowed = False

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes."""
        whole = self.gather(data)
        if not self._carriage_returns and whole.find(b"\n\n") + 2 == len(whole):
            return [whole]
        return self.part(whole)

    def gather(self, data: bytes) -> bytes:
        """The same in one piece, for `part`."""
        if not self._carriage_returns:
            self._carriage_returns = b"\r" in data
        if self._started and not self._pending and data.endswith(b"\r\n\r\n" if self._carriage_returns else b"\n\n"):
            return data  # as nearly always
        whole = self._gather_any(data) if self._carriage_returns else self._gather_plain(data)
        self.overflowed = len(self._pending) > self._limit
        if whole and not self._started:
            self._started = True
            whole = whole.removeprefix(_BOM)
        return whole

    def part(self, whole: bytes) -> list[bytes]:
        """The events of which `gather` has made one piece."""
        if not self._carriage_returns:
            return [event + b"\n\n" for event in whole[:-2].split(b"\n\n")] if whole else []
        events = whole.split(b"\r\n\r\n")
        ends = 2 * (len(events) - 1)
        if not events.pop() and whole.count(b"\r") == ends and whole.count(b"\n") == ends:
            return [event + b"\r\n\r\n" for event in events]  # each of one line, as nearly all are
        edges = [0, *(blank.end() for blank in _BLANK_LINE.finditer(whole))]
        return [whole[first:last] for first, last in pairwise(edges)]

    def close(self) -> bytes:
        """What is left when the stream is at its end: an event without its blank line, whole or cut short."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest if self._started else rest.removeprefix(_BOM)

    def _gather_plain(self, data: bytes) -> bytes:
        """No CR has come yet, and in almost every stream none will."""
        pending = self._pending
        if pending:
            if b"\n\n" not in data and not (pending.endswith(b"\n") and data.startswith(b"\n")):
                pending += data
                return b""
            data = bytes(pending) + data
            pending.clear()
        if data.endswith(b"\n\n"):
            return data
        found = data.rfind(b"\n\n")
        end = found + 2 if found >= 0 else 0
        pending += data[end:]
        return data[:end]

    def _gather_any(self, data: bytes) -> bytes:
        pending = self._pending
        if len(pending) <= _SHORT and b"\r\n\r\n" in data:
            known = bytes(pending) + data
            end = known.rfind(b"\r\n\r\n") + 4
            if _BLANK_LINE.search(known, end) is None:
                pending[:] = known[end:]
                return known[:end]
        start = max(0, len(pending) - _LONGEST_BLANK_LINE + 1)
        pending += data
        done = 0
        for blank in _BLANK_LINE.finditer(pending, start):
            end = blank.end()
            if end == len(pending) and pending[-1] == _CR and blank.group().startswith(b"\r\n"):
                break  # a stream of CRLF: the LF is on its way
            done = end
        whole = bytes(pending[:done])
        del pending[:done]
        return whole


class Event(NamedTuple):
    """One event, read.

    data: the `data` lines joined by LF; None if there is none. name: the `event` line. plain: may be sent on as it
    came, being comments and at most one `data` line, ended by LF or CRLF. bare: a line that is JSON and no field.
    """

    data: bytes | None
    name: bytes
    comments: list[bytes]
    plain: bool
    bare: bool


def sole_data(raw: bytes) -> bytes | None:
    """The data of an event that is one `data` line and nothing else, as almost every event is; None for others."""
    if not raw.startswith(b"data: "):
        return None
    if raw.endswith(b"\r\n\r\n"):
        data = raw[6:-4]
    elif raw.endswith(b"\n\n"):
        data = raw[6:-2]
    else:
        return None
    return None if b"\n" in data or b"\r" in data else data


def read_event(raw: bytes) -> Event:
    """Read one event as EventFramer hands it out, by the rules of the HTML standard, "Server-sent events"."""
    if usual := _USUAL.fullmatch(raw):
        name, said = usual.groups()
        return Event(said, name or b"", [], plain=name is None, bare=False)
    lines = _LINE_END.split(raw) if b"\r" in raw else raw.split(b"\n")
    data: list[bytes] = []
    comments: list[bytes] = []
    name, other_fields, bare = b"", False, False
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif not field:
            if line:
                comments.append(line)
        else:
            other_fields = True
            if field == b"event":
                name = value
            bare = bare or field.lstrip()[:1] in (b"{", b"[")
    lone_cr = b"\r" in raw.replace(b"\r\n", b"\n")
    return Event(
        data=b"\n".join(data) if data else None,
        name=name,
        comments=comments,
        plain=len(data) <= 1 and not other_fields and not lone_cr,
        bare=bare,
    )


def check_utf8(data: bytes) -> None:
    """Raises UnicodeDecodeError. Readers of JSON skip what they are not asked for, and would pass it on."""
    if not data.isascii():
        data.decode()


def write_event(data: bytes) -> bytes:
    """One event of Chat's form. `data` is JSON, in which a line end is blank space like any other."""
    return b"data: " + _LINE_END.sub(b" ", data) + b"\n\n"
