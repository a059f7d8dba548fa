"""Whoever is not let in, noted in the audit log: what an attacker sends must not fill it.

1. Of each reason at each door the first is noted at once, and what follows within the hour as one sum.
2. A sum names a few of those who came, and how often the others did: its size has a bound.
3. Nobody who is refused waits for the store. While it is away sums grow; nothing is lost of them but by `kill -9`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from gaiarouter.store.base import StorageUnavailable
from gaiarouter.store.keyring import now_us
from gaiarouter.store.records import Refused

_log = structlog.get_logger("gaiarouter.audit")

AGAIN_S: Final = 3600.0
NAMED: Final = 10
_LOOK_S: Final = 10.0


class Noted(Protocol):
    async def note_refused(self, refused: Refused, *, now_us: int) -> None: ...


@dataclass(slots=True)
class _Sum:
    """since_us: when the first of them came. by: how often, of the first ten who came."""

    since_us: int
    count: int = 0
    by: dict[str, int] = field(default_factory=dict)

    def add(self, who: str, count: int = 1) -> None:
        self.count += count
        if who in self.by or len(self.by) < NAMED:
            self.by[who] = self.by.get(who, 0) + count


class Refusals:
    """clock: monotonic seconds. `start` it in the event loop; `close` it before the store."""

    def __init__(
        self, store: Noted, *, clock: Callable[[], float] = time.monotonic, wall_us: Callable[[], int] = now_us
    ) -> None:
        self._store = store
        self._clock = clock
        self._wall_us = wall_us
        self._sums: dict[tuple[str, str], _Sum] = {}
        self._not_before: dict[tuple[str, str], float] = {}
        self._wake = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def note(self, reason: str, door: str, who: str) -> None:
        """reason and door: of closed sets. who: an address, or the id of a key that may not do what it asked for."""
        at = (door, reason)
        if at not in self._sums:
            self._sums[at] = _Sum(self._wall_us())
            self._wake.set()
        self._sums[at].add(who)

    def start(self) -> None:
        self._watch = asyncio.create_task(self._keep_writing(), name="refusals")

    async def close(self) -> None:
        """Writes what is left, whenever the last was written."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._not_before.clear()
        await self.write()
        if self._sums:
            _log.error("audit.refusals_lost", count=sum(one.count for one in self._sums.values()))

    async def write(self) -> None:
        """One round of what `start` does: an entry of each sum whose time has come."""
        for at in [at for at in self._sums if self._clock() >= self._not_before.get(at, 0.0)]:
            door, reason = at
            one = self._sums.pop(at)
            refused = Refused(door, reason, one.count, one.since_us, tuple(one.by.items()))
            try:
                await self._store.note_refused(refused, now_us=self._wall_us())
            except StorageUnavailable:
                self._put_back(at, one)
                return
            except BaseException:
                self._put_back(at, one)
                raise
            self._not_before[at] = self._clock() + AGAIN_S

    def _put_back(self, at: tuple[str, str], one: _Sum) -> None:
        """Together with those who came since."""
        since = self._sums.pop(at, None)
        self._sums[at] = one
        if since is not None:
            unnamed = since.count - sum(since.by.values())
            for who, count in since.by.items():
                one.add(who, count)
            one.count += unnamed

    async def _keep_writing(self) -> None:
        while True:
            try:
                await self.write()
            except Exception:  # noqa: BLE001  # a bug must not end it in silence: nobody would be noted any more
                _log.exception("refusals.bug")
            try:
                async with asyncio.timeout(_LOOK_S if self._sums else None):
                    await self._wake.wait()
            except TimeoutError:
                pass  # an hour may be over, or the store back
            self._wake.clear()
