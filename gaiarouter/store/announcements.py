"""Hears of other processes' changes: LISTEN on a connection to PostgreSQL of its own, made again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import structlog

_log = structlog.get_logger("gaiarouter.store")

_CHANNEL = "gaiarouter_changes"
NOTIFY = "NOTIFY gaiarouter_changes"

_FIRST_RETRY_S = 0.25
_MAX_RETRY_S = 5.0


class Announcements:
    """connect: makes a connection, or raises what asyncpg raises. Listens from the first `add` to `close`."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._watchers: list[Callable[[], None]] = []
        self._listening: asyncio.Task[None] | None = None

    def add(self, wake: Callable[[], None]) -> None:
        self._watchers.append(wake)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="announcements")

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        retry_s = _FIRST_RETRY_S
        while True:
            try:
                lost = asyncio.Event()
                connection = await self._connect()
                try:
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(_CHANNEL, self._heard)
                    self._heard()  # what was said while nobody listened
                    retry_s = _FIRST_RETRY_S
                    await lost.wait()
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                _log.warning("store.announcements_lost", kind=type(error).__name__, retry_s=retry_s)
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, _MAX_RETRY_S)

    def _heard(self, *_: object) -> None:
        for wake in self._watchers:
            wake()
