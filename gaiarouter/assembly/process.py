"""`gaiarouter serve`: the store made ready, one process or several, the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from gaiarouter import __version__
from gaiarouter.app import Gateway
from gaiarouter.assembly.control import pepper_of
from gaiarouter.assembly.gauges import look_at_process
from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Settings
from gaiarouter.config.source import ConfigFile
from gaiarouter.server import logs
from gaiarouter.server.address import AddressUnusable, prove_free, why_not
from gaiarouter.server.banner import banner
from gaiarouter.server.log_level import LevelInForce
from gaiarouter.server.outlet import hold_standard_descriptors
from gaiarouter.server.run import hold_signals, listen, run
from gaiarouter.server.tls import Certificate, UnusableCertificate, load_pair
from gaiarouter.server.workers import (
    CRASH_WINDOW_S,
    CRASHES,
    Worker,
    have_all_workers_reload,
    kept_in,
    supervise,
    worker_of,
)
from gaiarouter.store import open_store
from gaiarouter.store.base import MigrationError, StorageUnavailable
from gaiarouter.store.commands import first_key
from gaiarouter.store.keyring import now_us

_log = structlog.get_logger("gaiarouter.server")


def serve(settings: Settings, source: ConfigFile, *, migrate: bool = True, arguments: Sequence[str] = ()) -> int:
    """Runs the gateway until it is told to stop; the exit code.

    source: the file that the settings come from. arguments: those of this process, for the workers that it starts when
    the settings ask for several. 3 is a store that cannot be used, 1 an address that cannot be listened on.
    """
    hold_standard_descriptors()
    log = logs.configure(level=settings.log.level, form=settings.log.format)
    hold_signals()
    worker = worker_of(os.environ)
    level = LevelInForce(settings.log.level, log.set_level, None if worker is None else Path(worker.shared))
    try:
        if worker is not None:
            gateway = Gateway(
                settings,
                source=source,
                workers=worker.count,
                migrate=False,
                on_reload=partial(have_all_workers_reload, worker.lifeline),
                level=level,
            )
            return run(_serve(gateway, settings, log, level, worker=worker))
        if settings.server.tls is not None:
            load_pair(settings.server.tls)
        first = run(_prepare(settings, migrate=migrate))
        words = banner(settings, version=__version__, store=place(settings.store), first_key=first)
        if settings.server.workers > 1:
            _say(words)
            return _supervise(settings, source, log, arguments)
        gateway = Gateway(settings, source=source, migrate=False, level=level)
        return run(_serve(gateway, settings, log, level, words))
    except (StorageUnavailable, MigrationError) as error:
        print(f"gaiarouter: the store {place(settings.store)} cannot be used: {error}", file=sys.stderr)
        return 3
    except UnusableCertificate as error:
        print(f"gaiarouter: server.tls: {error}", file=sys.stderr)
        return 1
    except AddressUnusable as error:
        print(f"gaiarouter: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # somebody was quicker
        print(f"gaiarouter: {why_not((settings.server.host, settings.server.port), error)}", file=sys.stderr)
        return 1


def _supervise(settings: Settings, source: ConfigFile, log: logs.Log, arguments: Sequence[str]) -> int:
    with TemporaryDirectory(prefix="gaiarouter-") as shared:
        source.keep_in(kept_in(shared))
        level = LevelInForce(settings.log.level, log.set_level, Path(shared))
        code = supervise(settings.server.workers, arguments, shared, _louder_and_back(level))
    if code:
        print(
            f"gaiarouter: workers died {CRASHES} times within {CRASH_WINDOW_S:.0f} s, so that starting new ones does "
            "not mend it. What they said before this line says why.",
            file=sys.stderr,
        )
    return code


def _louder_and_back(level: LevelInForce) -> Mapping[int, Callable[[], None]]:
    return {signal.SIGUSR1: partial(level.say, "debug"), signal.SIGUSR2: partial(level.say, None)}


def place(store: Secret) -> str:
    """A store's address without what may be secret in it."""
    scheme, _, rest = store.reveal().partition("://")
    return f"{scheme} {rest.rpartition('@')[2].removeprefix('/') if scheme == 'sqlite' else rest.rpartition('@')[2]}"


async def _prepare(settings: Settings, *, migrate: bool) -> str | None:
    """Brings the store up to date; the text of the first key, if this is the very first start."""
    store = open_store(settings.store)
    await store.open(migrate=migrate)
    server = settings.server
    try:
        for address in filter(None, (server.admin_listen, (server.host, server.port))):
            prove_free(address, shared_port=server.workers > 1)
        first = await first_key(store, now_us=now_us(), pepper=pepper_of(settings))
        return first.text if first else None
    finally:
        await store.close()


async def _serve(
    gateway: Gateway,
    settings: Settings,
    log: logs.Log,
    level: LevelInForce,
    words: str = "",
    *,
    worker: Worker | None = None,
) -> int:
    def say() -> None:
        _say(words)
        _tell_of_start(settings, level, worker)

    gateway.metrics.started(__version__)
    look_at_process(gateway.metrics, log.sink, asyncio.get_running_loop())
    await listen(
        gateway.app,
        gateway.operators,
        settings.server,
        gateway.dialect,
        gateway.data_plane,
        gateway.life,
        shared_port=worker is not None,
        started=say,
        turned_away=gateway.turned_away,
        watchdog=gateway.watchdog,
        certificate=None if settings.server.tls is None else Certificate(settings.server.tls, gateway.metrics),
        told={signal.SIGHUP: gateway.ask_for_reload, **_louder_and_back(level)},
        lifeline=None if worker is None else worker.lifeline,
    )
    _log.info("server.stopped")
    return 0


def _say(words: str) -> None:
    """For a person, where one may read it: a start does not fail because nobody does."""
    if words:
        with suppress(OSError, ValueError):
            print(words, flush=True)


def _tell_of_start(settings: Settings, level: LevelInForce, worker: Worker | None) -> None:
    server = settings.server
    aside = server.admin_listen and "{}:{}".format(*server.admin_listen)
    _log.info(
        "server.started",
        version=__version__,
        pid=os.getpid(),
        worker=worker and worker.number,
        workers=server.workers,
        address=f"{server.host}:{server.port}",
        tls=server.tls is not None,
        admin_address=aside,
        store=place(settings.store),
        config=settings.fingerprint,
        level=level.level,
        routes=len(settings.routes),
        on=[one.name for one in settings.providers.values() if one.off is None],
        off={one.name: one.off for one in settings.providers.values() if one.off is not None},
    )
