"""How a target is asked for what can only be passed through: as the caller asks, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.kept.answer import KeptAnswer, is_kept
from gaiarouter.dialects.kept.conversion import Kept, told
from gaiarouter.dialects.kept.handles import Handles
from gaiarouter.dialects.kept.request import BINDING, KeptHead
from gaiarouter.dialects.passed.conversion import Passed
from gaiarouter.dialects.passed.request import PassedHead
from gaiarouter.dialects.passing import PassThrough
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.conversion import Convert
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget


class KeepingConverter:
    """Of requests whose answers a provider may keep. convert: the usual one. handles: of such answers. stateless:
    providers that keep none."""

    def __init__(self, convert: Convert, handles: Handles, stateless: Collection[str]) -> None:
        self._convert = convert
        self._handles = handles
        self._stateless = stateless

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        endpoint, conversion = await self._convert(exchange, target)
        request = exchange.request
        assert request is not None
        if isinstance(conversion, PassThrough) and target.provider not in self._stateless and is_kept(request):
            marking = self._handles.marking(issuer=target.provider, owner=exchange.owner)
            return endpoint, KeptAnswer(conversion, marking)
        return endpoint, conversion


class KeptConverter:
    """endpoints: by provider, then by operation. handles: None where they are told as they are."""

    def __init__(self, endpoints: Mapping[str, Mapping[str, Endpoint]], handles: Handles | None) -> None:
        self._endpoints = endpoints
        self._handles = handles

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        head = exchange.request
        assert isinstance(head, KeptHead)
        endpoint = self._endpoints[target.provider].get(BINDING.dialects[0])
        if endpoint is None:
            raise NotServed
        handles = self._handles
        marking = None if handles is None else handles.marking(issuer=target.provider, owner=exchange.owner)
        return replace(endpoint, method=head.method, url=told(head, endpoint.url)), Kept(marking)


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
