"""A journal's lines: a checksum, what it is, and JSON. `0f3c5a21 R{...}` is a finished request, `A` one that began.

A line that was torn, or that anything has happened to, does not have the checksum that it says, and is none.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from typing import Final

import msgspec

from gaiarouter.store.base import UsageRecord

_FINISHED: Final = b"R"
_BEGUN: Final = b"A"
_SUM_BYTES: Final = 9  # eight digits and a space
_encode = msgspec.json.Encoder().encode
_decode_finished = msgspec.json.Decoder(UsageRecord).decode


class Begun(msgspec.Struct, frozen=True, gc=False):
    """What is known of a request before any target is asked. Times and fields are those of UsageRecord."""

    id: str
    request_id: str
    time_us: int
    key: str | None
    organization: str | None
    route: str | None
    model_asked: str | None
    streamed: bool
    input_tokens: int

    def interrupted(self, now_us: int) -> UsageRecord:
        """The record of a request that its process did not live to finish. What it cost, if anything, nobody knows."""
        return UsageRecord(
            id=self.id,
            request_id=self.request_id,
            time_us=self.time_us,
            key=self.key,
            organization=self.organization,
            route=self.route,
            model_asked=self.model_asked,
            model_served=None,
            provider=None,
            attempts=0,
            status=500,
            outcome="interrupted",
            error="process_died",
            streamed=self.streamed,
            in_uncached=self.input_tokens,
            in_cache_read=0,
            in_cache_write=0,
            in_tool=0,
            out_visible=0,
            out_reasoning=0,
            estimated=True,
            cost_nano_usd=None,
            duration_us=max(0, now_us - self.time_us),
            first_content_us=None,
        )


_decode_begun = msgspec.json.Decoder(Begun).decode


def write_line(entry: UsageRecord | Begun) -> bytes:
    text = (_FINISHED if isinstance(entry, UsageRecord) else _BEGUN) + _encode(entry)
    return b"%08x %b\n" % (crc32(text), text)


def read_lines(data: bytes) -> Iterator[tuple[UsageRecord | Begun | None, int]]:
    """Each line and how many bytes of `data` there are up to its end; None for one that is broken. What stands behind
    the last line end is left: it is torn, or not there yet."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield _read(data[start:end]), end + 1
        start = end + 1


def _read(line: bytes) -> UsageRecord | Begun | None:
    text = line[_SUM_BYTES:]
    if line[:_SUM_BYTES] != b"%08x " % crc32(text):
        return None
    try:
        if text[:1] == _FINISHED:
            return _decode_finished(text[1:])
        return _decode_begun(text[1:]) if text[:1] == _BEGUN else None
    except msgspec.DecodeError:
        return None  # of a version that wrote other fields
