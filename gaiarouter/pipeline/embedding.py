"""How a target is asked for vectors: in the caller's own words where it speaks them, else by translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.embeddings.conversion import EmbeddingAsked, EmbeddingTarget, EmbeddingTranslation
from gaiarouter.errors import NotServed
from gaiarouter.pipeline.conversion import is_strict
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.providers.base import Endpoint
from gaiarouter.routing.base import ResolvedTarget


class EmbeddingConverter:
    """endpoints: by provider, then by operation. targets: by operation."""

    def __init__(self, endpoints: Mapping[str, Mapping[str, Endpoint]], targets: Mapping[str, EmbeddingTarget]) -> None:
        self._endpoints = endpoints
        self._targets = targets

    async def convert(self, exchange: Exchange, target: ResolvedTarget) -> tuple[Endpoint, Conversion]:
        """Where the request goes and in which words. Raises InvalidRequest for what the target's dialect cannot say."""
        # the dialects that this is called for read nothing else
        head, spoken = cast(EmbeddingAsked, exchange.request), self._endpoints[target.provider]
        if (own := spoken.get(exchange.dialect.name)) is not None:
            return own, head.passed(model=target.model, sends_base64=own.sends_base64)
        for name, asked in self._targets.items():
            if (endpoint := spoken.get(name)) is not None:
                request = head.canonical
                prepared = asked.prepare(request, model=target.model, strict=is_strict(exchange))
                tokens = head.estimated_input_tokens()
                return endpoint, EmbeddingTranslation(request, prepared, head.encode, model=target.model, tokens=tokens)
        raise NotServed
