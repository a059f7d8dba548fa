"""Keeps what callers say and hear, for the keys that are marked for it and where the configuration has a place for it.

Without such a place this stage is not there; for all other keys it does nothing. What a provider was sent, which a
route may have edited, is not kept: only what went over the caller's own connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from gaiarouter.pipeline.exchange import Exchange, Reply
from gaiarouter.pipeline.runner import Stage


@dataclass(frozen=True, slots=True)
class Bodies:
    """Of one request: as much of both as is kept, and how many bytes there were. answer: None is no text."""

    time_us: int
    request_id: str
    key: str
    organization: str | None
    model: str | None
    provider: str | None
    model_served: str | None
    request: bytes
    request_bytes: int
    answer: bytes | None
    answer_bytes: int


class Keeper(Protocol):
    """limit: bytes of a request, and of an answer."""

    limit: int

    def keep(self, bodies: Bodies) -> None:
        """Never waits."""
        ...


class Recording(Stage):
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def request(self, exchange: Exchange) -> None:
        if exchange.key is not None and exchange.key.log_bodies:
            overheard = Overheard(exchange.reply, exchange.receive, self._keeper.limit)
            exchange.reply, exchange.receive = overheard, overheard.receive

    def finish(self, exchange: Exchange) -> None:
        heard = exchange.reply
        if not isinstance(heard, Overheard) or exchange.key is None:
            return
        is_text = exchange.media_type is None or exchange.media_type.startswith(("text/", "application/json"))
        self._keeper.keep(
            Bodies(
                time_us=exchange.received_us,
                request_id=exchange.request_id,
                key=exchange.key.id,
                organization=exchange.key.organization,
                model=exchange.request.model[:128] if exchange.request else None,
                provider=exchange.served.provider if exchange.served else None,
                model_served=exchange.served.model[:128] if exchange.served else None,
                request=bytes(heard.said.kept),
                request_bytes=heard.said.bytes,
                answer=bytes(heard.told.kept) if is_text else None,
                answer_bytes=heard.told.bytes,
            )
        )


class Overheard:
    """Implements Reply, and passes everything on."""

    def __init__(self, reply: Reply, receive: Callable[[], Awaitable[bytes]], limit: int) -> None:
        self._reply = reply
        self._receive = receive
        self.said = _Beginning(limit)
        self.told = _Beginning(limit)

    @property
    def started(self) -> bool:
        return self._reply.started

    @property
    def committed(self) -> bool:
        return self._reply.committed

    @property
    def stalled(self) -> bool:
        return self._reply.stalled

    async def receive(self) -> bytes:
        body = await self._receive()
        self.said.add(body)
        return body

    def hold(self, seconds: float) -> None:
        self._reply.hold(seconds)

    async def answer(self, body: bytes) -> None:
        self.told.add(body)
        await self._reply.answer(body)

    async def send(self, data: bytes) -> None:
        self.told.add(data)
        await self._reply.send(data)

    def send_now(self, data: bytes) -> bool:
        self.told.add(data)
        return self._reply.send_now(data)

    async def room(self) -> None:
        await self._reply.room()


class _Beginning:
    """The first bytes of something, and how many there were."""

    def __init__(self, limit: int) -> None:
        self.kept = bytearray()
        self.bytes = 0
        self._limit = limit

    def add(self, data: bytes) -> None:
        self.bytes += len(data)
        self.kept += data[: max(0, self._limit - len(self.kept))]
