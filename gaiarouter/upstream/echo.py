"""The demo provider's transport: answers inside this process, offline, in the shape of an HTTP answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from gaiarouter.dialects import echo
from gaiarouter.providers.base import UpstreamRequest
from gaiarouter.upstream.base import AttemptTimeouts


class _Wish(msgspec.Struct):
    stream: bool | None = None


class EchoUpstream:
    """pace_s: the pause before each chunk of a stream. now: seconds since the epoch. new_id: the id of an answer."""

    def __init__(
        self,
        *,
        pace_s: float = 0.0,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: f"chatcmpl-{uuid.uuid4().hex}",
    ) -> None:
        self._pace_s = pace_s
        self._now = now
        self._new_id = new_id

    async def send(self, request: UpstreamRequest, timeouts: AttemptTimeouts) -> EchoResponse:
        """Raises InvalidRequest for what is no Chat request."""
        assert isinstance(request.body, bytes)  # only uploads come piece by piece
        answer = echo.answer(request.body, answer_id=self._new_id(), created=int(self._now()))
        if msgspec.json.decode(request.body, type=_Wish).stream:
            return EchoResponse("text/event-stream", answer.chunks, self._pace_s)
        return EchoResponse("application/json", [answer.body], 0.0)

    async def close(self) -> None:
        pass


class EchoResponse:
    """UpstreamResponse over bytes at hand."""

    def __init__(self, content_type: str, chunks: list[bytes], pace_s: float) -> None:
        self.status: int = 200
        self.headers: Mapping[str, str] = {"content-type": content_type}
        self._chunks = chunks
        self._pace_s = pace_s
        self._rest = self._paced()

    async def read(self) -> bytes:
        return b"".join(self._chunks)

    async def read_error(self) -> bytes:
        return await self.read()

    def chunks(self) -> AsyncIterator[bytes]:
        return self._rest

    async def _paced(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if self._pace_s:
                await asyncio.sleep(self._pace_s)
            yield chunk

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        async for chunk in self._rest:
            if not take(chunk):
                return False
        return True

    def extend(self, deadline: float) -> None:
        pass

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        pass
