"""How a target is asked for what can only be passed through: as the caller asks, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.kept.conversion import Kept, told
from gaiarouter.dialects.kept.request import BINDING, KeptHead
from gaiarouter.dialects.passed.conversion import Passed
from gaiarouter.dialects.passed.request import PassedHead
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget


class KeptConverter:
    """endpoints: by provider, then by operation."""

    def __init__(self, endpoints: Mapping[str, Mapping[str, Endpoint]]) -> None:
        self._endpoints = endpoints

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        head = exchange.request
        assert isinstance(head, KeptHead)
        endpoint = self._endpoints[target.provider].get(BINDING.dialects[0])
        if endpoint is None:
            raise NotServed
        return replace(endpoint, method=head.method, url=told(head, endpoint.url)), Kept()


class PassedConverter:
    """endpoints: by provider, then by operation."""

    def __init__(self, endpoints: Mapping[str, Mapping[str, Endpoint]]) -> None:
        self._endpoints = endpoints

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        head = exchange.request
        assert isinstance(head, PassedHead)
        endpoint = self._endpoints[target.provider].get(exchange.dialect.name)
        if endpoint is None:
            raise NotServed
        return endpoint, Passed(head, exchange.form, model=target.model)
