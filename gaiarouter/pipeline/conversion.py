"""How a target is spoken to: in the caller's own dialect where it speaks that, else by translation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import Conversion, Envelope, SpokenByBoth
from gaiarouter.dialects.passing import PassThrough
from gaiarouter.dialects.translate import AnswerWriter, Target, Translation
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.media import with_bytes
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.upstream.base import MediaSource

Convert = Callable[[Exchange, ResolvedTarget], Awaitable[tuple[Endpoint, Conversion]]]


class Caller(Protocol):
    """A dialect as callers speak it."""

    def decode_request(self, body: bytes, envelope: Envelope) -> CanonicalRequest: ...

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, input_tokens: int, model: str | None = None
    ) -> AnswerWriter: ...


class Converter:
    """endpoints, targets: by provider, then by dialect; targets in the order of preference. both: dialects that may be
    passed through, callers: those that may be translated, by dialect. media: where it is loaded from."""

    def __init__(
        self,
        endpoints: Mapping[str, Mapping[str, Endpoint]],
        both: Mapping[str, SpokenByBoth],
        callers: Mapping[str, Caller],
        targets: Mapping[str, Mapping[str, Target]],
        media: MediaSource,
    ) -> None:
        self._endpoints = endpoints
        self._both = both
        self._callers = callers
        self._targets = targets
        self._media = media

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        """Where the request goes and in which words. Raises InvalidRequest for what the target's dialect cannot say,
        MediaNotLoaded."""
        assert exchange.request is not None
        spoken = self._endpoints[target.provider]
        endpoint = spoken.get(exchange.dialect.name)
        if endpoint is not None:
            name, request = exchange.dialect.name, exchange.request
            if not request.sealed:
                return endpoint, PassThrough(
                    self._both[name], request, model=target.model, ask_usage=endpoint.asks_usage
                )
            # written anew, since the vendor would refuse seals that are not its own
            own = self._targets[target.provider][name]
            return endpoint, await self._translation(exchange, target, endpoint, own, request.forwarded)
        for name, asked in self._targets[target.provider].items():
            return spoken[name], await self._translation(exchange, target, spoken[name], asked)
        raise NotServed

    async def _translation(
        self,
        exchange: Exchange,
        target: ResolvedTarget,
        endpoint: Endpoint,
        asked: Target,
        forwarded: Mapping[str, str] = MappingProxyType({}),
    ) -> Translation:
        assert exchange.request is not None
        caller = self._callers[exchange.dialect.name]
        body = exchange.request.body_for(model=exchange.request.model, ask_usage=False)
        request = caller.decode_request(body, exchange.envelope)
        writer = caller.writer(
            request,
            answer_id=exchange.id,
            created=exchange.received_us // 1_000_000,
            input_tokens=exchange.request.estimated_input_tokens(),
        )
        if endpoint.fetch_media:
            request = await with_bytes(request, asked, exchange, self._media)
        return Translation(asked.prepare(request, model=target.model, strict=is_strict(exchange)), writer, forwarded)


def is_strict(exchange: Exchange) -> bool:
    """Whether the route or the caller's key wants errors for what the target cannot take exactly."""
    wishes = (exchange.match and exchange.match.route.unsupported, exchange.key and exchange.key.unsupported)
    return "error" in wishes
