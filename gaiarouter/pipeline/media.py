"""Pictures and files that a caller names by their address, for targets that take their bytes only."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import structs

from gaiarouter.canonical.media import Media, media_of, web_address, with_media
from gaiarouter.canonical.parts import Audio, Base64, Document, Image, Video
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.translate import Target
from gaiarouter.errors import MediaNotLoaded
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.upstream.base import Loaded, MediaSource, NotLoaded

_KINDS: tuple[tuple[type[Media], str, str], ...] = (
    (Image, "image/", "picture"),
    (Audio, "audio/", "sound"),
    (Video, "video/", "film"),
    (Document, "", "file"),
)


async def with_bytes(
    request: CanonicalRequest, target: Target, exchange: Exchange, source: MediaSource
) -> CanonicalRequest:
    """The request as `target` can take it: with bytes in place of the addresses that it does not load.

    Raises MediaNotLoaded for what did not come, or is something else than the caller says.
    """
    wanted = [(part, url) for part in media_of(request) if (url := _address_for(target, part)) is not None]
    if not wanted:
        return request
    assert exchange.match is not None
    deadline = exchange.received_s + exchange.match.route.timeouts.total_s
    exchange.waited_for_media(await source.load([url for _, url in wanted], exchange.media, deadline=deadline))
    for part, url in wanted:
        # before all others: it ended their loading
        if isinstance(missing := exchange.media.get(url), NotLoaded):
            raise MediaNotLoaded(part.path, _host(url), missing.reason)

    def loaded(part: Media) -> Media:
        url = _address_for(target, part)
        return part if url is None else structs.replace(part, source=_checked(exchange.media[url], part, url))

    return with_media(request, loaded)


def _address_for(target: Target, part: Media) -> str | None:
    """None where there is nothing to load."""
    url = web_address(part)
    return url if url is not None and target.needs_bytes(part) else None


def _checked(loaded: Loaded, part: Media, url: str) -> Base64:
    assert isinstance(loaded, Base64)
    for kind, media_type, name in _KINDS:
        if isinstance(part, kind) and not (loaded.media_type or "").startswith(media_type):
            raise MediaNotLoaded(part.path, _host(url), f"it is {loaded.media_type}, no {name}")
    return loaded


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
