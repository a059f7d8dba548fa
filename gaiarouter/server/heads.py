"""The head of a connection's last request, to know the next one's by: a client says the same of each, but for the
length of its body.

Nothing is parsed here. A head is known only when aiohttp's parser has read one before it that was the same, byte for
byte, around the digits of its Content-Length.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import hdrs
from aiohttp.http import HttpVersion11, RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from gaiarouter.server.credentials import credentials

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\n(content-length):[ \t]*([0-9]{1,12})\r\n", re.IGNORECASE)
_MOST_DIGITS: Final = 12
_MOST_BYTES: Final = 8192
"""Of a head that is kept, as long as its connection: none that a client sends is near it."""
_UNSAID: Final = (hdrs.EXPECT, hdrs.CONTENT_ENCODING, hdrs.TRANSFER_ENCODING, hdrs.UPGRADE, hdrs.CONNECTION)
"""Headers that would want something done about them. Connection may say that it stays open."""


class KnownHead:
    """message: as the parser has told it, for a body of as many bytes as it had then.

    It asks for nothing unusual: HTTP/1.1, the connection stays open, a JSON body of a told length and no coding.
    """

    __slots__ = ("_credentials", "_end", "_head", "_length", "_name", "_start", "message")

    def __init__(self, head: bytes, place: re.Match[bytes], message: RawRequestMessage) -> None:
        """place: of the line that tells the length."""
        self._head = head
        self._name = place[1]
        self._start, self._end = place.span(2)
        self._length = int(place[2])
        self._credentials: tuple[str, ...] | None = None
        self.message = message

    @property
    def credentials(self) -> tuple[str, ...]:
        if self._credentials is None:
            self._credentials = credentials(self.message.headers)
        return self._credentials

    def match(self, data: bytes) -> tuple[RawRequestMessage, int, int] | None:
        """What the parser would tell of the head that `data` begins with, its body's length, and where in `data` that
        begins. None where it begins with another head, or with less than a whole one."""
        if not data.startswith(self._head) and not self._renew(data):
            return None
        return self.message, self._length, len(self._head)

    def _renew(self, data: bytes) -> bool:
        """Whether `data` begins with this head, but for the length; if so it is now of that length."""
        start, after = self._start, self._head[self._end :]
        end = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or data[:start] != self._head[:start] or not data.startswith(after, end):
            return False
        self._head = data[: end + len(after)]
        self._end = end
        self._length = int(digits)
        self.message = _of_length(self.message, self._name, digits)
        return True


def end_of_head(data: bytes, message: RawRequestMessage) -> int | None:
    """Where in `data` the body of `message` begins; None where `data` does not begin with just its head."""
    end = data.find(_END) + len(_END)
    lines = len(message.raw_headers) + 2
    if data.startswith(message.method.encode()) and data.count(b"\n", 0, end) == data.count(b"\r\n", 0, end) == lines:
        return end
    return None


def known_head(head: bytes, message: RawRequestMessage) -> KnownHead | None:
    """head: what the parser has read `message` from, to its empty line. None if it asks for anything unusual."""
    headers = message.headers
    place = _LENGTH.search(head)
    if (
        place is None
        or len(head) > _MOST_BYTES
        or headers.getall(hdrs.CONTENT_LENGTH, []) != [place[2].decode()]
        or headers.get(hdrs.CONTENT_TYPE) != "application/json"
        or message.version != HttpVersion11
        or message.should_close
        or message.upgrade
        or message.chunked
        or any(name in headers for name in _UNSAID if name != hdrs.CONNECTION)
        or headers.get(hdrs.CONNECTION, "keep-alive").lower() != "keep-alive"
    ):
        return None
    return KnownHead(head, place, message)


def _of_length(message: RawRequestMessage, name: bytes, digits: bytes) -> RawRequestMessage:
    headers = CIMultiDict(message.headers)
    headers[hdrs.CONTENT_LENGTH] = digits.decode()
    raw = tuple([(each, digits if each == name else value) for each, value in message.raw_headers])
    return message._replace(headers=CIMultiDictProxy(headers), raw_headers=raw)
