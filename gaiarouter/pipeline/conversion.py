"""How a target is spoken to: in the caller's own dialect where it speaks that, else by translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.passing import PassThrough
from gaiarouter.dialects.translate import AnswerWriter, Target, Translation
from gaiarouter.errors import Failed
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget


class Caller(Protocol):
    """A dialect as callers speak it."""

    def decode_request(self, body: bytes) -> CanonicalRequest: ...

    def writer(
        self, request: CanonicalRequest, *, answer_id: str, created: int, model: str | None = None
    ) -> AnswerWriter: ...


class Converter:
    """endpoints, targets: by provider, then by dialect; targets in the order of preference. callers: by dialect."""

    def __init__(
        self,
        endpoints: Mapping[str, Mapping[str, Endpoint]],
        callers: Mapping[str, Caller],
        targets: Mapping[str, Mapping[str, Target]],
    ) -> None:
        self._endpoints = endpoints
        self._callers = callers
        self._targets = targets

    def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        """Where the request goes and in which words. Raises InvalidRequest for what the target's dialect cannot say."""
        assert exchange.request is not None
        spoken = self._endpoints[target.provider]
        endpoint = spoken.get(exchange.dialect.name)
        if endpoint is not None:
            return endpoint, PassThrough(
                exchange.dialect, exchange.request, model=target.model, ask_usage=endpoint.asks_usage
            )
        for name, dialect in self._targets[target.provider].items():
            return spoken[name], self._translation(exchange, target, dialect)
        raise Failed("This target serves no requests of this kind.", outcome="bad_response")

    def _translation(self, exchange: Exchange, target: ResolvedTarget, dialect: Target) -> Translation:
        assert exchange.request is not None
        caller = self._callers[exchange.dialect.name]
        request = caller.decode_request(exchange.request.body_for(model=exchange.request.model, ask_usage=False))
        writer = caller.writer(request, answer_id=exchange.id, created=exchange.received_us // 1_000_000)
        strict = exchange.match is not None and exchange.match.route.unsupported == "error"
        return Translation(dialect.prepare(request, model=target.model, strict=strict), writer)
