"""A request's body on its way to a provider: a large one, or one that comes piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

from gaiarouter.errors import GatewayError
from gaiarouter.upstream.watch import Watch

ONE_WRITE: Final = 256 * 1024
"""A body of so many bytes leaves in one write with its head."""


class Outlet(Protocol):
    """A connection to a provider. transport: None once it is lost."""

    @property
    def transport(self) -> asyncio.Transport | None: ...

    async def room(self) -> None:
        """Returns when more may be written. Raises ConnectionError."""
        ...

    def fail(self, error: GatewayError) -> None:
        """Whoever waits for the answer is told this."""
        ...


async def framed(pieces: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """As it lies on the wire. length: as the head has told it; None is a body in chunks."""
    async for piece in pieces:
        if piece:
            yield piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
    if length is None:
        yield b"0\r\n\r\n"


async def pour(outlet: Outlet, body: bytes | AsyncIterator[bytes], watch: Watch) -> None:
    """Writes it at the provider's pace, or at that of where it comes from.

    A connection that breaks is noticed by who waits for the answer. What goes wrong where the body comes from is the
    request's failure.
    """
    try:
        if isinstance(body, bytes):
            await _pour_bytes(outlet, body)
        else:
            await _pour_pieces(outlet, body, watch)
    except GatewayError as error:
        outlet.fail(error)
    except ConnectionError:
        return


async def _pour_bytes(outlet: Outlet, body: bytes) -> None:
    view = memoryview(body)
    for start in range(0, len(body), ONE_WRITE):
        if outlet.transport is None:
            return
        outlet.transport.write(view[start : start + ONE_WRITE])
        await outlet.room()


async def _pour_pieces(outlet: Outlet, body: AsyncIterator[bytes], watch: Watch) -> None:
    watch.hold()
    async for piece in body:
        if outlet.transport is None:
            return
        outlet.transport.write(piece)
        watch.go_on()
        await outlet.room()
        watch.hold()
    watch.go_on()
