"""A request's body that comes piece by piece, on its way to a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from gaiarouter.upstream.watch import Watch


async def framed(pieces: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """As it lies on the wire. length: as the head has told it; None is a body in chunks."""
    async for piece in pieces:
        if piece:
            yield piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
    if length is None:
        yield b"0\r\n\r\n"


async def pour(
    body: AsyncIterator[bytes], write: Callable[[bytes], bool], room: Callable[[], Awaitable[None]], watch: Watch
) -> None:
    """Writes it at the provider's pace, or at that of where it comes from. write: False when the connection is gone.
    room: returns when more may be written.

    Raises what the body raises, and ConnectionError.
    """
    watch.hold()
    async for piece in body:
        if not write(piece):
            return
        watch.go_on()
        await room()
        watch.hold()
    watch.go_on()
