"""How a target is spoken to: in the caller's own dialect where it speaks that, else by translation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import Conversion, Envelope, SpokenByBoth
from gaiarouter.dialects.passing import PassThrough
from gaiarouter.dialects.translate import AnswerWriter, Target, Translation
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.aside import LARGE, Beside, place_for
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.media import with_bytes
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.upstream.base import MediaSource

Convert = Callable[[Exchange, ResolvedTarget], Awaitable[tuple[Endpoint, Conversion]]]
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Caller(Protocol):
    """A dialect as callers speak it."""

    def decode_request(self, body: bytes, envelope: Envelope) -> CanonicalRequest: ...

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, input_tokens: int, model: str | None = None
    ) -> AnswerWriter: ...


class Converter:
    """endpoints, targets: by provider, then by dialect; targets in the order of preference. both: dialects that may be
    passed through, callers: those that may be translated, by dialect. media: where it is loaded from. aside: where
    large bodies are read and written."""

    def __init__(
        self,
        endpoints: Mapping[str, Mapping[str, Endpoint]],
        both: Mapping[str, SpokenByBoth],
        callers: Mapping[str, Caller],
        targets: Mapping[str, Mapping[str, Target]],
        media: MediaSource,
        aside: Beside,
    ) -> None:
        self._endpoints = endpoints
        self._both = both
        self._callers = callers
        self._targets = targets
        self._media = media
        self._aside = aside

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        """Where the request goes and in which words. Raises InvalidRequest for what the target's dialect cannot say,
        MediaNotLoaded."""
        request, name = exchange.request, exchange.dialect.name
        assert request is not None
        spoken, targets, forwarded = self._endpoints[target.provider], self._targets[target.provider], _NO_HEADERS
        if name in spoken:
            if not request.sealed:
                asks_usage = spoken[name].asks_usage
                return spoken[name], PassThrough(self._both[name], request, model=target.model, ask_usage=asks_usage)
            # written anew, since the vendor would refuse seals that are not its own
            forwarded = request.forwarded
        else:
            for preferred in targets:
                name = preferred
                break
            else:
                raise NotServed
        endpoint, asked = spoken[name], targets[name]
        if request.prompt_bytes > LARGE or endpoint.fetch_media:
            return endpoint, await self._waited_for(exchange, target, endpoint, asked, forwarded)
        return endpoint, self._written(exchange, target, asked, forwarded, None)

    async def _waited_for(
        self,
        exchange: Exchange,
        target: ResolvedTarget,
        endpoint: Endpoint,
        asked: Target,
        forwarded: Mapping[str, str],
    ) -> Translation:
        assert exchange.request is not None
        aside, request = place_for(exchange.request.prompt_bytes, self._aside), None
        if endpoint.fetch_media:
            request = await aside.run(exchange, partial(self._read, exchange))
            request = await with_bytes(request, asked, exchange, self._media)
        return await aside.run(exchange, partial(self._written, exchange, target, asked, forwarded, request))

    def _read(self, exchange: Exchange) -> CanonicalRequest:
        assert exchange.request is not None
        body = exchange.request.body_for(model=exchange.request.model, ask_usage=False)
        return self._callers[exchange.dialect.name].decode_request(body, exchange.envelope)

    def _written(
        self,
        exchange: Exchange,
        target: ResolvedTarget,
        asked: Target,
        forwarded: Mapping[str, str],
        request: CanonicalRequest | None,
    ) -> Translation:
        """request: None is yet to be read. Read here it is let go of here, which takes long where it is large."""
        assert exchange.request is not None
        if request is None:
            request = self._read(exchange)
        writer = self._callers[exchange.dialect.name].writer(
            request,
            answer_id=exchange.id,
            created=exchange.received_us // 1_000_000,
            input_tokens=exchange.request.estimated_input_tokens(),
        )
        return Translation(asked.prepare(request, model=target.model, strict=is_strict(exchange)), writer, forwarded)


def is_strict(exchange: Exchange) -> bool:
    """Whether the route or the caller's key wants errors for what the target cannot take exactly."""
    wishes = (exchange.match and exchange.match.route.unsupported, exchange.key and exchange.key.unsupported)
    return "error" in wishes
