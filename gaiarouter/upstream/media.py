"""Loads pictures, sounds and files from addresses that callers name, for targets that do not load them themselves.

Such an address may lead anywhere, so four rules hold. Only the open internet is called (outward.py). Nothing is
unbounded: bytes (also those that a compressed body unfolds to), time, redirects and the number of addresses have
limits. Nothing is sent but the request line and a few headers of our own. And nothing of an address but its host, and
nothing of what came, is told to anybody.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Literal

from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
)
from aiohttp.abc import AbstractResolver
from yarl import URL

from gaiarouter import __version__
from gaiarouter.canonical.parts import Base64
from gaiarouter.upstream.base import Loaded, NotLoaded
from gaiarouter.upstream.faults import FOREIGN
from gaiarouter.upstream.media_body import Allowance, Unusable, read_body, typed
from gaiarouter.upstream.names import Resolver
from gaiarouter.upstream.outward import NOWHERE, Allows, NotAllowed, Outward, address_of, redirected
from gaiarouter.upstream.public import is_public

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_BUFFER = 64 * 1024
_HEADERS = {
    "user-agent": f"gaiarouter/{__version__}",
    "accept": "image/*, application/pdf, audio/*, video/*, text/*;q=0.9, */*;q=0.1",
    "accept-encoding": "identity",
}
MediaOutcome = Literal["ok", "refused", "failed", "timeout"]

_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (ClientSSLError, "its server has no trusted TLS certificate"),
    (ClientConnectorError, "its server did not accept the connection"),
)


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """For one request: addresses, how many of them at once, bytes of each and of all, seconds for all of them.

    redirects: of each address.
    """

    addresses: int = 20
    at_once: int = 4
    file_bytes: int = 20_000_000
    all_bytes: int = 32_000_000
    seconds: float = 20.0
    redirects: int = 3


class MediaLoader:
    """Implements upstream.base.MediaSource. Make it inside the running event loop; close it there.

    allows: the addresses that may be called. names, tls: as usual, but for tests. on_end is called for each address,
    with how its loading ended.
    """

    def __init__(
        self,
        *,
        allows: Allows = is_public,
        names: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        limits: MediaLimits | None = None,
        on_end: Callable[[MediaOutcome], object] = lambda _: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._allows = allows
        self._limits = limits or MediaLimits()
        self._on_end = on_end
        self._session = ClientSession(
            connector=Outward(allows, names or Resolver(self._loop), tls),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_BUFFER,
            timeout=ClientTimeout(),
            headers=_HEADERS,
        )

    async def close(self) -> None:
        await self._session.close()

    async def load(self, urls: Iterable[str], loaded: MutableMapping[str, Loaded], *, deadline: float) -> float:
        started = self._loop.time()
        missing = [url for url in dict.fromkeys(urls) if url not in loaded]
        if missing and len(loaded) + len(missing) > self._limits.addresses:
            loaded[missing[-1]] = NotLoaded(f"at most {self._limits.addresses} addresses of a request are loaded")
        else:
            await self._load_all(missing, loaded, min(started + self._limits.seconds, deadline))
        return self._loop.time() - started

    async def _load_all(self, urls: list[str], loaded: MutableMapping[str, Loaded], until: float) -> None:
        spent = sum(len(found.data) * 3 // 4 for found in loaded.values() if isinstance(found, Base64))
        allowance = Allowance(file_bytes=self._limits.file_bytes, all_bytes=self._limits.all_bytes, spent=spent)
        gate = asyncio.Semaphore(self._limits.at_once)
        try:
            async with asyncio.TaskGroup() as group:
                for url in urls:
                    group.create_task(self._load(url, loaded, gate, allowance, until))
        except* _GivenUp:
            pass  # `loaded` says which, and why

    async def _load(
        self,
        url: str,
        loaded: MutableMapping[str, Loaded],
        gate: asyncio.Semaphore,
        allowance: Allowance,
        until: float,
    ) -> None:
        outcome: MediaOutcome
        try:
            async with asyncio.timeout_at(until), gate:
                loaded[url] = await self._follow(url, allowance)
        except TimeoutError:
            outcome, loaded[url] = "timeout", NotLoaded("it did not come in time")
        except NotAllowed as error:
            outcome, loaded[url] = "refused", NotLoaded(str(error))
        except Unusable as error:
            outcome, loaded[url] = "failed", NotLoaded(str(error))
        else:
            outcome = "ok"
        self._on_end(outcome)
        if outcome != "ok":
            raise _GivenUp

    async def _follow(self, url: str, allowance: Allowance) -> Base64:
        place = address_of(url, self._allows)
        for _ in range(self._limits.redirects + 1):
            found = await self._ask(place, allowance)
            if isinstance(found, Base64):
                return found
            place = found
        raise Unusable("its server redirects too often")

    async def _ask(self, place: URL, allowance: Allowance) -> Base64 | URL:
        try:
            async with self._session.get(place, allow_redirects=False) as answer:
                return await self._read(place, answer, allowance)
        except ClientConnectorDNSError as error:
            raise NotAllowed(NOWHERE) from error
        except FOREIGN as error:
            known = (reason for kind, reason in _FAULTS if isinstance(error, kind))
            raise Unusable(next(known, "the connection to its server broke")) from error

    async def _read(self, place: URL, answer: ClientResponse, allowance: Allowance) -> Base64 | URL:
        if answer.status in _REDIRECTS:
            return redirected(place, answer.headers.get("location"), self._allows)
        if answer.status != 200:
            raise Unusable(f"its server answered {answer.status}")
        media_type, body = typed(await read_body(answer, allowance), answer.headers.get("content-type", ""))
        return Base64(media_type, base64.b64encode(body).decode())


class _GivenUp(Exception):
    """Ends the group that loads the addresses of one request."""
