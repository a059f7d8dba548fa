"""A new configuration in the place of the old one: read, checked whole, built beside it, swapped in one step.

1. An error changes nothing, whatever it is.
2. Whoever asks (a signal, a change of the file, an administrator), one reload runs at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import structlog

from gaiarouter.config.changes import as_far_as_possible, needs_restart
from gaiarouter.config.settings import Settings
from gaiarouter.config.source import ConfigFile
from gaiarouter.rounds import next_round
from gaiarouter.server.admin.reload import Reloaded
from gaiarouter.server.handler import Service
from gaiarouter.telemetry import ReloadMetrics

_log = structlog.get_logger("gaiarouter.config")

Cause = Literal["signal", "file", "request"]

LOOK_EVERY_S: Final = 1.0
QUIET_S: Final = 0.2
"""A file is read when it has not changed for so long: editors write in steps, and swaps come in a row."""
UNQUIET_S: Final = 2.0
"""A file that changes all the time is read after so long anyway."""
_MISTAKES_LOGGED: Final = 20


class Reloads:
    """running: the settings in force. build, swap: make a service of settings, and put it into force."""

    def __init__(
        self,
        source: ConfigFile,
        *,
        running: Callable[[], Settings],
        build: Callable[[Settings], Service],
        swap: Callable[[Service], None],
        metrics: ReloadMetrics,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._source = source
        self._running = running
        self._build = build
        self._swap = swap
        self._metrics = metrics
        self._look_every_s = look_every_s
        if source.is_stale:
            metrics.count(succeeded=False)
        self._one_at_a_time = asyncio.Lock()
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """For a signal: `watch` does it."""
        self._asked.set()

    async def watch(self) -> None:
        """Reloads when asked or when the file has changed, without end."""
        while True:
            await self.reload(await self._cause())

    async def reload(self, cause: Cause) -> Reloaded:
        async with self._one_at_a_time:
            try:
                outcome = await self._reload(cause)
            except Exception:  # noqa: BLE001  # a bug must neither end the watch nor pass for a reload
                _log.exception("config.reload_failed", cause=cause)
                outcome = self._failed("The gateway made a mistake; its log has the details.")
        self._metrics.count(succeeded=outcome.succeeded)
        return outcome

    async def _reload(self, cause: Cause) -> Reloaded:
        loaded = await asyncio.to_thread(self._source.load)
        if loaded.settings is None:
            mistakes = tuple(str(problem) for problem in loaded.errors)
            _log.error("config.reload_failed", cause=cause, mistakes=mistakes[:_MISTAKES_LOGGED], count=len(mistakes))
            return self._failed(*mistakes)
        before = self._running()
        restart = needs_restart(before, loaded.settings)
        settings = as_far_as_possible(before, loaded.settings)
        await asyncio.to_thread(self._source.keep)
        changed = settings != before
        if changed:
            self._swap(await asyncio.to_thread(self._build, settings))
        warnings = tuple(str(problem) for problem in loaded.warnings)
        _log.info(
            "config.reloaded",
            cause=cause,
            config=settings.fingerprint,
            changed=changed,
            needs_restart=restart,
            warnings=warnings[:_MISTAKES_LOGGED],
        )
        return Reloaded(settings.fingerprint, changed=changed, needs_restart=restart, warnings=warnings)

    def _failed(self, *mistakes: str) -> Reloaded:
        return Reloaded(self._running().fingerprint, changed=False, mistakes=mistakes)

    async def _cause(self) -> Cause:
        """Waits until there is one."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(next_round(loop.time(), self._look_every_s)):
                    await self._asked.wait()
                self._asked.clear()
                return "signal"
            except TimeoutError:
                if await asyncio.to_thread(self._source.has_changed):
                    await self._until_quiet()
                    return "file"

    async def _until_quiet(self) -> None:
        loop = asyncio.get_running_loop()
        seen, until = await asyncio.to_thread(self._source.look), loop.time() + UNQUIET_S
        while loop.time() < until:
            await asyncio.sleep(QUIET_S)
            now = await asyncio.to_thread(self._source.look)
            if now == seen:
                return
            seen = now
