"""A loader that may also call this machine's first address, and names that lead where a test wants them to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from gaiarouter.canonical.parts import Base64
from gaiarouter.upstream.base import Loaded, NotLoaded
from gaiarouter.upstream.media import MediaLimits, MediaLoader, MediaOutcome
from gaiarouter.upstream.public import is_public

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HERE = "127.0.0.1"
INSIDE = "127.0.0.2"
"""Stands for an address that may not be called: something may listen there all the same."""


class Names(AbstractResolver):
    """answers: by name, what each look-up gives, one after the other; the last one again and again."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name.replace("_", "."): list(several) for name, several in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        several = self._answers.get(host)
        if several is None:
            raise OSError("no such name")
        found = several.pop(0) if len(several) > 1 else several[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=_family(each), proto=0, flags=0) for each in found
        ]

    async def close(self) -> None:
        self._answers.clear()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def allows_here(address: str) -> bool:
    return address == HERE or is_public(address)


@asynccontextmanager
async def loading(
    *,
    allows: Callable[[str], bool] = allows_here,
    names: AbstractResolver | None = None,
    tls: Any = None,
    on_end: Callable[[MediaOutcome], object] = lambda _: None,
    **limits: Any,
) -> AsyncIterator[MediaLoader]:
    loader = MediaLoader(allows=allows, names=names, tls=tls, on_end=on_end, limits=MediaLimits(**limits))
    try:
        yield loader
    finally:
        await loader.close()


async def load(loader: MediaLoader, *urls: str, within_s: float = 10.0) -> dict[str, Loaded]:
    loaded: dict[str, Loaded] = {}
    async with asyncio.timeout(within_s):
        await loader.load(urls, loaded, deadline=asyncio.get_running_loop().time() + within_s)
    return loaded


async def load_one(loader: MediaLoader, url: str) -> Base64:
    (found,) = (await load(loader, url)).values()
    assert isinstance(found, Base64), found
    return found


async def reason(loader: MediaLoader, url: str) -> str:
    """Why it was not loaded."""
    (found,) = (await load(loader, url)).values()
    assert isinstance(found, NotLoaded), found
    return found.reason
