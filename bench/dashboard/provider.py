"""Providers for the picture of the dashboard: they answer at a human pace, and fail when the script says so.

The first part of the path is the provider's name. Faults hold for a time: an outage (503), streams that break off,
throttling.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench import wire

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EVENT_STREAM: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WORDS: Final = 24


class Providers:
    """fault: what a provider suffers now: `outage`, `breaks`, `throttles` or None."""

    def __init__(self, rng: random.Random, fault: Callable[[str], str | None]) -> None:
        self._rng = rng
        self._fault = fault

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(wire.HEAD_END)
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                await self._answer(head.split(b"/", 2)[1].decode(), json.loads(body), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def _answer(self, provider: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        fault = self._fault(provider)
        if fault == "outage" or (fault == "throttles" and self._rng.random() < 0.3):
            status = b"503 Service Unavailable" if fault == "outage" else b"429 Too Many Requests"
            writer.write(b"HTTP/1.1 %b\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n" % status)
            return
        await asyncio.sleep(self._rng.lognormvariate(-1.6 if provider != "groq" else -2.6, 0.5))
        if not asked.get("stream"):
            await asyncio.sleep(0.5)
            answer = json.dumps({**json.loads(wire.ANSWER), "usage": self._usage()}).encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            writer.write(head % len(answer) + answer)
            return
        breaks_at = self._rng.randrange(WORDS) if fault == "breaks" and self._rng.random() < 0.3 else None
        writer.write(_EVENT_STREAM)
        for number, event in enumerate(self._events()):
            if writer.is_closing():
                return
            if number == breaks_at:
                _reset(writer)
                return
            writer.write(wire.chunk(event))
            await asyncio.sleep(0.06)
        writer.write(wire.chunk(b"data: [DONE]\n\n") + wire.LAST_CHUNK)

    def _events(self) -> Iterator[bytes]:
        yield wire.event({"role": "assistant", "content": ""})
        for _ in range(WORDS):
            yield wire.event({"content": " word"})
        yield wire.event({}, finish="stop")
        usage = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1700000000, "choices": []}
        yield b"data: " + json.dumps({**usage, "model": "m", "usage": self._usage()}).encode() + b"\n\n"

    def _usage(self) -> dict[str, Any]:
        prompt, answer = self._rng.randint(400, 6000), self._rng.randint(40, 900)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": int(prompt * self._rng.choice((0, 0, 0.5, 0.8)))},
            "completion_tokens_details": {"reasoning_tokens": answer // 4},
        }


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
