"""TLS of the gateway's own listeners: the certificate, and what comes in its place when its files change.

1. A pair that cannot be used changes nothing: the one before it serves on.
2. Connections keep what they began with; new ones get the newest.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from _ssl import _test_decode_cert  # type: ignore[attr-defined]  # annotations lack it
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from gaiarouter.config.settings import Tls
from gaiarouter.rounds import next_round
from gaiarouter.telemetry import Metrics

_log = structlog.get_logger("gaiarouter.tls")

LOOK_EVERY_S: Final = 1.0
QUIET_S: Final = 0.2
"""Files are read when they have not changed for so long: certificate and key are seldom written in one step."""
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: those with forward secrecy that nobody has broken. TLS 1.3 has only such."""


class UnusableCertificate(Exception):
    """Certificate and key cannot be used; the message says why, and never what is in them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key, ready to serve. expires_s: since the epoch."""

    context: ssl.SSLContext
    expires_s: float


def load_pair(tls: Tls) -> Pair:
    """Raises UnusableCertificate."""
    context = _context()
    # when it ends is to be known before it is used, for which the module `ssl` wants a connection first
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
        expires = _test_decode_cert(tls.certificate)["notAfter"]
    except ssl.SSLError as error:
        raise UnusableCertificate(_why(error, tls)) from error
    except OSError as error:
        raise UnusableCertificate(f"{_unreadable(tls)} cannot be read: {error.strerror}") from error
    return Pair(context, ssl.cert_time_to_seconds(expires))


def is_for_all(key: str) -> bool:
    """Whether others than its owner and group may read the file of a key."""
    try:
        return bool(os.stat(key).st_mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP))
    except OSError:
        return False


class Certificate:
    """Of a gateway's listeners, as its files have it. Raises UnusableCertificate where they do not at the start."""

    def __init__(self, tls: Tls, metrics: Metrics) -> None:
        self._tls = tls
        self._metrics = metrics
        self._seen = self._look()
        self._pair = load_pair(tls)
        self._tell()
        metrics.tls_last_reload_successful.set(1)
        if is_for_all(tls.key):
            _log.warning("tls.key_is_open", file=tls.key, expected="readable for its owner alone: chmod 600")
        self.context: Final = _context()
        """For listeners. Which certificate a connection gets is decided when it shakes hands."""
        self.context.sni_callback = self._choose

    async def watch(self) -> None:
        """Looks every second whether the files have changed, without end."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(next_round(loop.time(), LOOK_EVERY_S) - loop.time())
            if await asyncio.to_thread(self._look) != self._seen:
                await self._until_quiet()
                self._reload(await asyncio.to_thread(self._read))

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _own: ssl.SSLContext) -> None:
        connection.context = self._pair.context

    def _read(self) -> Pair | UnusableCertificate:
        try:
            return load_pair(self._tls)
        except UnusableCertificate as error:
            return error

    def _reload(self, read: Pair | UnusableCertificate) -> None:
        self._metrics.tls_reloads.inc()
        self._metrics.tls_last_reload_successful.set(isinstance(read, Pair))
        if isinstance(read, Pair):
            self._pair = read
            self._tell()
            _log.info("tls.reloaded", certificate=self._tls.certificate, expires=_day(read.expires_s))
        else:
            self._metrics.tls_reload_failures.inc()
            _log.error("tls.reload_failed", reason=str(read), kept_until=_day(self._pair.expires_s))

    def _tell(self) -> None:
        self._metrics.tls_expiry.set(self._pair.expires_s)

    async def _until_quiet(self) -> None:
        while (now := await asyncio.to_thread(self._look)) != self._seen:
            self._seen = now
            await asyncio.sleep(QUIET_S)

    def _look(self) -> tuple[tuple[int, ...] | None, ...]:
        """Follows links: a Kubernetes Secret changes by a link to another folder."""
        return tuple(_state(path) for path in (self._tls.certificate, self._tls.key))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _no_password() -> str:
    """Left to itself, the library would ask for it on the terminal, and wait."""
    raise UnusableCertificate("the key is encrypted: expected one without a password")


def _why(error: ssl.SSLError, tls: Tls) -> str:
    match error.reason:
        case "KEY_VALUES_MISMATCH":
            return f"{tls.key} is not the key of {tls.certificate}"
        case _:
            return f"{tls.certificate} and {tls.key} are no certificate and key in PEM ({error.reason or 'unreadable'})"


def _unreadable(tls: Tls) -> str:
    return tls.key if os.access(tls.certificate, os.R_OK) else tls.certificate


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
