"""How many calls one request, or one chunk of a stream, costs: a number that a machine's neighbours do not change.

Counted are calls of Python functions in the gateway and in aiohttp's server, and what those call in C. What the test,
its provider and the event loop do is not.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import aiohttp

import gaiarouter

_PLACES: Final = tuple(str(Path(module.__file__ or "").parent) for module in (gaiarouter, aiohttp))


class Calls:
    """by: how often each function was called, by the last two parts of its file's path and its name."""

    def __init__(self) -> None:
        self.by: Counter[str] = Counter()
        self._known: dict[CodeType, str | None] = {}

    @property
    def total(self) -> int:
        return self.by.total()

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event not in ("call", "c_call"):
            return
        code = frame.f_code
        if (name := self._known.get(code, "")) == "":
            name = self._known[code] = self._named(code)
        if name is not None:
            self.by[name if event == "call" else f"{name} > {argument.__qualname__}"] += 1

    def _named(self, code: CodeType) -> str | None:
        if not code.co_filename.startswith(_PLACES):
            return None
        return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"


@contextmanager
def counted() -> Iterator[Calls]:
    """Counts what the present thread calls until the context ends."""
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


class Caller:
    """A client that costs no call of what is counted: bytes out, bytes back."""

    def __init__(self, port: int, key: str, path: str = "/v1/chat/completions") -> None:
        self._port = port
        self._key = key
        self._path = path

    async def __aenter__(self) -> Caller:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, body: bytes, *, until: bytes) -> bytes:
        """Until the answer has brought `until`."""
        self._writer.write(
            b"POST %b HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (self._path.encode(), self._key.encode(), len(body), body)
        )
        return await self._reader.readuntil(until)

    async def read(self, until: bytes) -> bytes:
        return await self._reader.readuntil(until)
