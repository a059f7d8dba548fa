"""A caller that writes whatever bytes a test likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.running import Reply
from tests.support.upstream import BOUND_S


class RawCaller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def reply(self) -> Reply:
        """The next answer, by its length."""
        async with asyncio.timeout(BOUND_S):
            start, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(start.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """All that comes until the gateway closes the connection."""
        async with asyncio.timeout(BOUND_S):
            return await self.reader.read()


@asynccontextmanager
async def raw_caller(port: int) -> AsyncIterator[RawCaller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawCaller(reader, writer)
    finally:
        writer.close()


def post(
    key: str,
    body: bytes = b"",
    *,
    headers: bytes = b"",
    length: int | None = None,
    path: bytes = b"/v1/chat/completions",
) -> bytes:
    """A request's bytes; `length` is what its head says of the body."""
    said = len(body) if length is None else length
    return (
        b"POST %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n%b\r\n%b" % (path, key.encode(), said, headers, body)
    )


BODY = b'{"model": "demo", "messages": [{"role": "user", "content": "hi"}]}'
