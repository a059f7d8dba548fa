"""How a target is asked for vectors: in the caller's own words where it speaks them, else by translation."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.embeddings.answer import encode_answer
from gaiarouter.dialects.embeddings.conversion import EmbeddingsPassed
from gaiarouter.dialects.embeddings.request import EmbeddingHead
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget


class EmbeddingConverter:
    """endpoints: by provider, then by dialect."""

    def __init__(self, endpoints: Mapping[str, Mapping[str, Endpoint]]) -> None:
        self._endpoints = endpoints

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        """Where the request goes and in which words."""
        assert isinstance(exchange.request, EmbeddingHead)
        endpoint = self._endpoints[target.provider].get("embeddings")
        if endpoint is None:
            raise NotServed
        return endpoint, EmbeddingsPassed(
            exchange.request, model=target.model, sends_base64=endpoint.sends_base64, encode=encode_answer
        )
