"""A provider that has every fault there is, for the soak. A request's model says which: `ok`, or one of FAULTS.

Each fault is what goes over the wire and how it ends; what the client does meanwhile is not looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import socket
import struct
from dataclasses import dataclass
from typing import Final, Literal

from bench import wire

End = Literal["keep", "close", "reset", "hang"]

_MODEL: Final = re.compile(rb'"model" ?: ?"([\w-]+)"')
_STREAM: Final = re.compile(rb'"stream" ?: ?true')
_LENGTH: Final = re.compile(rb"content-length: ?(\d+)", re.IGNORECASE)
_DRIP_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Fault:
    """parts: written one after the other, with a pause between them where there are several."""

    parts: tuple[bytes, ...]
    end: End = "keep"


def _whole(body: bytes, status: int = 200, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _error(status: int, more: str = "") -> Fault:
    body = json.dumps({"error": {"message": "scripted", "type": "scripted", "param": None, "code": None}}).encode()
    return Fault((_whole(body, status, more=more),))


_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WORD: Final = wire.chunk(wire.event({"content": " word"}))
_END: Final = wire.chunk(wire.event({}, finish="stop")) + wire.chunk(b"data: [DONE]\n\n") + wire.LAST_CHUNK
_BEGUN: Final = _HEAD + _WORD

OK: Final = Fault((_whole(wire.ANSWER),))
OK_STREAM: Final = Fault((_BEGUN, *[_WORD] * 20, _END))
FAULTS: Final[dict[str, Fault]] = {
    "refused-at-once": Fault((), "reset"),
    "closed": Fault((), "close"),
    "hangs": Fault((), "hang"),
    "head-then-hangs": Fault((_HEAD,), "hang"),
    "hangs-in-mid-stream": Fault((_BEGUN, _WORD), "hang"),
    "reset-in-mid-stream": Fault((_BEGUN, _WORD), "reset"),
    "cut-in-mid-stream": Fault((_BEGUN, _WORD), "close"),
    "chunk-cut": Fault((_BEGUN + _WORD[:-7],), "close"),
    "garbled-event": Fault((_BEGUN, wire.chunk(b"data: {nope\n\n")), "hang"),
    "error-in-a-stream": Fault(
        (_HEAD + wire.chunk(b'data: {"error":{"message":"x","code":503}}\n\n'), wire.LAST_CHUNK)
    ),
    "no-json": Fault((_whole(b"{nope"),)),
    "web-page": Fault((_whole(b"<html>log in</html>", kind="text/html"),)),
    "error-in-a-200": Fault((_whole(b'{"error":{"message":"x"}}'),)),
    "empty": Fault((_whole(b""),)),
    "throttled": _error(429, "retry-after-ms: 40\r\n"),
    "throttled-long": _error(429, "retry-after: 3\r\n"),
    "broken": _error(500),
    "overloaded": _error(503),
    "key-refused": _error(401),
    "drip": Fault(tuple(bytes([byte]) for byte in _whole(wire.ANSWER)), "keep"),
    "comments": Fault((_HEAD, *[wire.chunk(b": thinking\n\n")] * 200), "hang"),
    "long-line": Fault((_HEAD, wire.chunk(b"data: " + b"x" * 3_000_000)), "hang"),
    "compressed": Fault((_whole(gzip.compress(wire.ANSWER), more="content-encoding: gzip\r\n"),)),
    "compressed-strangely": Fault((_whole(b"\x28\xb5\x2f\xfd", more="content-encoding: zstd\r\n"),)),
    "old": Fault((b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + wire.ANSWER,), "close"),
    "more-than-said": Fault((_whole(wire.ANSWER) + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",)),
    "interim": Fault((b"HTTP/1.1 103 Early\r\n\r\n" + _whole(wire.ANSWER),)),
    "redirect": Fault((b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",)),
    "large": Fault((_whole(wire.ANSWER[:-1] + b" " * 4_000_000 + b"}"),)),
}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if not await _play(_chosen(body), reader, writer):
                return
    except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return  # cancelled: the soak is over
    finally:
        writer.close()


def _chosen(body: bytes) -> Fault:
    model = _MODEL.search(body)
    fault = FAULTS.get(model[1].decode()) if model else None
    return fault or (OK_STREAM if _STREAM.search(body) else OK)


async def _play(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection goes on."""
    for number, part in enumerate(fault.parts):
        if number:
            await asyncio.sleep(_DRIP_S)
        writer.write(part)
        await writer.drain()
    if fault.end == "hang":
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
    if fault.end == "reset":
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return fault.end == "keep"
