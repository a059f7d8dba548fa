"""JSON objects cut out of a byte stream: a stream that was not asked for as events is one array of objects."""

from __future__ import annotations

import re

from gaiarouter.dialects.sse import MAX_EVENT_BYTES

_STRUCTURE = re.compile(rb'["{}\\]')
_QUOTE, _OPEN, _CLOSE, _BACKSLASH = b'"{}\\'


class ObjectFramer:
    """Hands out the outermost objects; what lies between them is passed over. Every byte is looked at once.

    overflowed: the object under way is longer than `limit`.
    """

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.overflowed = False

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that `data` completes."""
        objects: list[bytes] = []
        start = 0
        skipped = 0 if self._escaped else -1
        self._escaped = False
        for found in _STRUCTURE.finditer(data):
            at, byte = found.start(), data[found.start()]
            if at == skipped:
                continue
            if self._in_string:
                self._in_string = byte != _QUOTE
                if byte == _BACKSLASH:
                    skipped = at + 1
            elif byte == _QUOTE:
                self._in_string = self._depth > 0
            elif byte == _OPEN:
                start = start if self._depth else at
                self._depth += 1
            elif byte == _CLOSE and self._depth:
                self._depth -= 1
                if not self._depth:
                    objects.append(bytes(self._pending) + data[start : at + 1])
                    self._pending.clear()
        self._escaped = skipped == len(data)
        if self._depth:
            self._pending += data[start:]
        self.overflowed = len(self._pending) > self._limit
        return objects
