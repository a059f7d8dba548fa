"""A form on its way from the caller to a provider: it goes on while it comes, and is never held in memory.

What has come is kept aside, in memory only as far as it is small and in a file without a name beyond that: the model's
name may stand behind the file that is uploaded, and another provider may have to be sent the whole from its beginning.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from io import FileIO
from tempfile import TemporaryFile
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gaiarouter.dialects.passed.form import FormScanner, boundary_of
from gaiarouter.errors import CallerGone, InvalidRequest, Unavailable
from gaiarouter.server.body import check_head, continued, late, patience_s, too_large

_IN_MEMORY: Final = 256 * 1024
_PIECE: Final = 64 * 1024


class FormBody:
    """Implements dialects.passed.conversion.Form for one request of at most `limit` bytes. Close it."""

    def __init__(self, request: web.Request, limit: int) -> None:
        self._request = request
        self._limit = limit
        self._scanner: FormScanner | None = None
        self._kept = _Kept()
        self._size = 0
        self._at_end = False
        self._taking: asyncio.Task[None] | None = None
        self._deadline = 0.0

    async def fields(self) -> bytes:
        """A JSON object with the model's name, as soon as that has come. Raises RequestRefused, InvalidRequest."""
        check_head(self._request, self._limit)
        self._scanner = FormScanner(boundary_of(self.media_type))
        self._deadline = asyncio.get_running_loop().time() + patience_s(self._request, self._limit)
        await continued(self._request)
        while self._scanner.model is None and not self._at_end:
            await self._more()
        return msgspec.json.encode({} if self._scanner.model is None else {"model": self._scanner.model.text})

    @property
    def media_type(self) -> str:
        return self._request.headers.get("Content-Type", "")

    def length(self, model: str) -> int | None:
        """Bytes with another model's name in it; None where the caller did not say how much will come."""
        whole = self._request.content_length
        return None if whole is None else whole - (self._end - self._start) + len(model.encode())

    async def pieces(self, model: str) -> AsyncIterator[bytes]:
        """The form with this model's name, from its beginning. Raises what is wrong with what is still to come."""
        offset, start = 0, self._start
        while offset < start:
            piece = await self._kept.read(offset, min(_PIECE, start - offset))
            offset += len(piece)
            yield piece
        yield model.encode()
        offset = self._end
        while True:
            while offset < self._size:
                piece = await self._kept.read(offset, _PIECE)
                offset += len(piece)
                yield piece
            if self._at_end:
                return
            await self._more()

    def close(self) -> None:
        if self._taking is None:
            self._kept.close()
        else:
            self._taking.add_done_callback(self._over)
            self._taking.cancel()

    def _over(self, taking: asyncio.Task[None]) -> None:
        if not taking.cancelled():
            taking.exception()  # told to whoever waited for it
        self._kept.close()

    @property
    def _start(self) -> int:
        assert self._scanner is not None
        assert self._scanner.model is not None
        return self._scanner.model.start

    @property
    def _end(self) -> int:
        assert self._scanner is not None
        assert self._scanner.model is not None
        return self._scanner.model.end

    async def _more(self) -> None:
        """Returns when more has been kept, or all. An attempt that is given up meanwhile must not lose what it read:
        the reading goes on, and the next attempt waits for it."""
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        taking = self._taking
        await asyncio.shield(taking)
        if self._taking is taking:
            self._taking = None

    async def _take(self) -> None:
        assert self._scanner is not None
        try:
            async with asyncio.timeout_at(self._deadline):
                piece = await self._request.content.readany()
        except TimeoutError:
            raise late() from None
        except (HttpProcessingError, web.RequestPayloadError) as error:
            raise InvalidRequest("The body is not framed as its headers say.") from error
        except ConnectionError as error:
            raise CallerGone("The caller hung up while sending the body.") from error
        if self._size + len(piece) > self._limit:
            raise too_large(self._limit)
        if piece:
            self._scanner.feed(piece)
            await self._kept.append(piece)
            self._size += len(piece)
        else:
            self._scanner.close()
            self._at_end = True


class _Kept:
    """Bytes in the order they came. Files are read and written beside the event loop."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: FileIO | None = None

    async def append(self, data: bytes) -> None:
        """Raises Unavailable where there is no room for it."""
        if self._file is None and len(self._memory) + len(data) <= _IN_MEMORY:
            self._memory += data
            return
        try:
            await asyncio.to_thread(self._write, data)
        except OSError as error:
            raise Unavailable("There is no room to keep the form while it is sent on.", code="overloaded") from error

    async def read(self, offset: int, size: int) -> bytes:
        """At least a byte of what was kept. Raises Unavailable where the file does not give it back."""
        if self._file is None:
            return bytes(self._memory[offset : offset + size])
        try:
            if data := await asyncio.to_thread(os.pread, self._file.fileno(), size, offset):
                return data
        except OSError:
            pass  # told below
        raise Unavailable("The form that was kept while it is sent on cannot be read again.", code="overloaded")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = TemporaryFile(buffering=0)  # noqa: SIM115  # closed with the form
            data = bytes(self._memory) + data
            self._memory.clear()
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
