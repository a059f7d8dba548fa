"""One serving process: listens, and on SIGTERM lets running requests end before it goes."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import ssl
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Final, TypeVar

import structlog
import uvloop
from aiohttp import web

from gaiarouter.config.settings import Server
from gaiarouter.dialects.base import Dialect
from gaiarouter.server.handler import DataPlane
from gaiarouter.server.protocol import Listener
from gaiarouter.server.tls import Certificate
from gaiarouter.server.watchdog import Watchdog

_log = structlog.get_logger("gaiarouter.server")

Result = TypeVar("Result")

STOPS: Final = (signal.SIGTERM, signal.SIGINT)
TOLD: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
SIGNALS: Final = (*STOPS, *TOLD)
"""Those that a gateway heeds: to stop, to read its configuration again, to log more, and to log as before."""
_BACKLOG: Final = 4096
_YOUNG_OBJECTS: Final = 10_000
"""Made and not freed since the last look for cycles among the young."""
_LAST_WORDS_S: Final = 2.0
"""Time for the error events of requests that outlasted the drain."""


class Lifecycle:
    """Where the process is in its life; `why_not_ready` is what /health/ready says."""

    def __init__(self) -> None:
        self._state: str | None = "starting"
        self._stop = asyncio.Event()
        self._now = asyncio.Event()

    def why_not_ready(self) -> str | None:
        return self._state

    def ready(self) -> None:
        self._state = None

    def stop(self) -> None:
        """The first call asks for a drain, the second for an end at once."""
        if self._stop.is_set():
            self._now.set()
        self._state = "draining"
        self._stop.set()

    async def until_stopped(self) -> None:
        await self._stop.wait()

    async def until_told_again(self, seconds: float) -> None:
        """Waits, less if told to stop at once."""
        try:
            async with asyncio.timeout(seconds):
                await self._now.wait()
        except TimeoutError:
            return

    def is_leaving(self) -> bool:
        return self._stop.is_set()

    async def until_idle(self, data_plane: DataPlane, seconds: float) -> None:
        """Waits until no request runs, at most `seconds`, less if told to stop at once."""
        waits = {asyncio.ensure_future(data_plane.until_idle()), asyncio.ensure_future(self._now.wait())}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def run(main: Coroutine[object, object, Result]) -> Result:
    """Runs one of the process's main coroutines, on uvloop."""
    raise_descriptor_limit()
    spare_the_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def listen(
    app: web.Application,
    operators: web.Application | None,
    server: Server,
    dialect: Dialect,
    data_plane: DataPlane,
    life: Lifecycle,
    *,
    shared_port: bool,
    started: Callable[[], None],
    turned_away: Callable[[str], None],
    watchdog: Callable[[Listener, Listener | None], Watchdog],
    told: Mapping[int, Callable[[], None]],
    certificate: Certificate | None = None,
    lifeline: int | None = None,
) -> None:
    """Serves until told to stop, then drains. operators: what listens on `server.admin_listen`. shared_port: other
    workers listen on the same ports. turned_away: called with each connection that cannot be taken in. watchdog: made
    with the listener of callers, and that of operators. told: what each of the signals TOLD does. certificate:
    None listens without TLS. lifeline: a descriptor at whose end it stops."""
    _heed(life, told, lifeline)
    listener = Listener(app, dialect, on_shed=turned_away, is_leaving=life.is_leaving)
    aside = None if operators is None else Listener(operators, dialect, on_shed=turned_away)
    watch = watchdog(listener, aside)
    renewal = None if certificate is None else asyncio.create_task(certificate.watch(), name="certificate")
    listen_at = partial(_listen_at, shared_port=shared_port, tls=None if certificate is None else certificate.context)
    try:
        if aside is not None and server.admin_listen is not None:
            await listen_at(aside, server.admin_listen)  # until the very end: a drain can be watched there
        site = await listen_at(listener, (server.host, server.port))
        watch.start()
        life.ready()
        started()
        await life.until_stopped()
        await _drain(site, server, data_plane, life)
    finally:
        await watch.stop()
        if renewal is not None:
            renewal.cancel()
            await asyncio.wait([renewal])
        if aside is not None:
            await aside.cleanup()
        await listener.cleanup()


async def _listen_at(
    listener: Listener, address: tuple[str, int], *, shared_port: bool, tls: ssl.SSLContext | None
) -> web.TCPSite:
    await listener.setup()
    site = web.TCPSite(listener, *address, backlog=_BACKLOG, reuse_port=shared_port or None, ssl_context=tls)
    await site.start()
    return site


async def _drain(site: web.TCPSite, server: Server, data_plane: DataPlane, life: Lifecycle) -> None:
    _log.info("server.draining", running=data_plane.running, at_most_s=server.drain_s)
    await life.until_told_again(server.drain_delay_s)
    await site.stop()
    await life.until_idle(data_plane, server.drain_s)
    if data_plane.running:
        _log.warning("server.cut_short", requests=data_plane.running)
        data_plane.cut_short()
        await life.until_idle(data_plane, _LAST_WORDS_S)
    _log.info("server.drained", running=data_plane.running)


def _heed(life: Lifecycle, told: Mapping[int, Callable[[], None]], lifeline: int | None) -> None:
    """From now on signals do what they are for."""
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, life.stop)
    for number in TOLD:
        loop.add_signal_handler(number, told[number])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if lifeline is not None:
        loop.add_reader(lifeline, _cut_loose, loop, lifeline, life)


def _cut_loose(loop: asyncio.AbstractEventLoop, lifeline: int, life: Lifecycle) -> None:
    """The first process is gone without having said so: nobody would replace this one, or pass on signals."""
    loop.remove_reader(lifeline)
    _log.error("worker.orphaned")
    life.stop()


def hold_signals() -> None:
    """A SIGHUP that comes before anybody can heed it waits until then; left alone it would end the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)


def spare_the_collector() -> None:
    """What has been loaded stays: the search for cycles need not go through it again and again.

    Nor through thousands of open streams at every turn: it looks when there is more to be found.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def raise_descriptor_limit() -> None:
    """A stream takes two descriptors; the soft limit of many systems, 1024, is soon spent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            _log.warning("server.descriptors", soft=soft, hard=hard)
