"""What a caller wants of a target beyond its being asked: that nothing is left out, and what a relay is to be told."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import replace

from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.members import JsonObject
from gaiarouter.dialects.preferences import Preferences
from gaiarouter.errors import InvalidRequest, NotTaken
from gaiarouter.pipeline.conversion import Convert
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint, Reshape
from gaiarouter.routing.base import ResolvedTarget


class PreferringConverter:
    """Before the other converters. generate: the usual one. others: by the caller's dialect, for what is asked of
    models besides generating. relays: as of routing.preferences.Preferring."""

    def __init__(self, generate: Convert, others: Mapping[str, Convert], relays: Collection[str]) -> None:
        self._generate = generate
        self._others = others
        self._relays = relays

    def convert(self, exchange: Exchange, target: ResolvedTarget) -> Awaitable[tuple[Endpoint, Conversion]]:
        converted = self._others.get(exchange.dialect.name, self._generate)(exchange, target)
        wishes = exchange.preferences
        return converted if wishes is None else self._preferring(converted, target, wishes)

    async def _preferring(
        self, converted: Awaitable[tuple[Endpoint, Conversion]], target: ResolvedTarget, wishes: Preferences
    ) -> tuple[Endpoint, Conversion]:
        try:
            endpoint, conversion = await converted
        except InvalidRequest as error:
            if wishes.require_parameters and error.code == "unsupported_parameter":
                raise NotTaken(error.param) from error
            raise
        if wishes.require_parameters and conversion.dropped:
            raise NotTaken(conversion.dropped[0])
        if target.provider in self._relays and (told := wishes.passed_on()) is not None:
            endpoint = replace(endpoint, reshape=_telling(told, endpoint.reshape))
        return endpoint, conversion


def _telling(provider: bytes, before: Reshape | None) -> Reshape:
    """The last change of a body, with the caller's wishes put into it."""

    def reshape(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
        if before is not None:
            body, headers = before(body, headers)
        return JsonObject(body).patched({"provider": provider}), headers

    return reshape
