"""The gateway on a loopback port, and bytes to and from it as they are."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest

from tests.gateway.running import Reply, Starter
from tests.support.upstream import BOUND_S


@pytest.fixture
async def start() -> AsyncIterator[Starter]:
    async with Starter(io.BytesIO()) as starter:
        yield starter


class RawCaller:
    """A connection on which a test writes whatever it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> RawCaller:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> Reply:
        """The next answer, which must have a length."""
        async with asyncio.timeout(BOUND_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(start.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """All that comes until the gateway closes the connection."""
        async with asyncio.timeout(BOUND_S):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()
