"""How a target is asked for a count of tokens, and what the gateway says where it gets none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from gaiarouter.dialects.base import Answer, Conversion
from gaiarouter.dialects.counting import (
    NOTHING_USED,
    CountFormat,
    CountHead,
    CountPassed,
    CountTranslated,
    counted_in,
)
from gaiarouter.dialects.translate import PreparedRequest, Target
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.aside import Beside, place_for
from gaiarouter.pipeline.conversion import Caller, is_strict
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.media import with_bytes
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.upstream.base import MediaSource


class CountConverter:
    """endpoints: by provider, then by operation. formats, callers: by dialect. targets: by provider, then by dialect in
    the order of preference. media: where it is loaded from. aside: where large bodies are read and written."""

    def __init__(
        self,
        endpoints: Mapping[str, Mapping[str, Endpoint]],
        formats: Mapping[str, CountFormat],
        callers: Mapping[str, Caller],
        targets: Mapping[str, Mapping[str, Target]],
        media: MediaSource,
        aside: Beside,
    ) -> None:
        self._endpoints = endpoints
        self._formats = {counted_in(name): each for name, each in formats.items()}
        self._callers = {counted_in(name): each for name, each in callers.items()}
        self._targets = targets
        self._media = media
        self._aside = aside

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        """Where the request goes and in which words. Raises InvalidRequest for what the target's dialect cannot say,
        MediaNotLoaded."""
        head, own, spoken = exchange.request, exchange.dialect.name, self._endpoints[target.provider]
        assert isinstance(head, CountHead)
        if own in spoken and not head.sealed:
            return spoken[own], CountPassed(head, self._formats[own], model=target.model)
        for name, asked in self._targets[target.provider].items():
            operation = counted_in(name)
            if operation in spoken:
                prepared = await self._prepared(exchange, target, asked, fetch_media=spoken[operation].fetch_media)
                format_ = self._formats[operation]
                return spoken[operation], CountTranslated(prepared, format_, self._formats[own], model=target.model)
        raise NotServed

    async def _prepared(
        self, exchange: Exchange, target: ResolvedTarget, asked: Target, *, fetch_media: bool
    ) -> PreparedRequest:
        head = exchange.request
        assert isinstance(head, CountHead)
        read = partial(
            head.canonical, partial(self._callers[exchange.dialect.name].decode_request, envelope=exchange.envelope)
        )
        write = partial(asked.prepare, model=target.model, strict=is_strict(exchange))
        aside = place_for(head.prompt_bytes, self._aside)
        if fetch_media:
            request = await with_bytes(await aside.run(exchange, read), asked, exchange, self._media)
            return await aside.run(exchange, partial(write, request))
        return await aside.run(exchange, lambda: write(read()))

    def estimate(self, exchange: Exchange) -> Answer | None:
        """For a target that does not count, or cannot now: another one would count in tokens of its own."""
        head, own = exchange.request, exchange.dialect.name
        if not isinstance(head, CountHead):
            return None
        return Answer(self._formats[own].write_count(head.estimate()), NOTHING_USED, 0, None)
