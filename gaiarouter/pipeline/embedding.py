"""How a target is asked for vectors: in the caller's own words where it speaks them, else by translation."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.dialects.base import Conversion
from gaiarouter.dialects.embeddings.answer import encode_answer
from gaiarouter.dialects.embeddings.conversion import EmbeddingsPassed, EmbeddingTarget, EmbeddingTranslation
from gaiarouter.dialects.embeddings.request import EmbeddingHead
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
        head, spoken = exchange.request, self._endpoints[target.provider]
        assert isinstance(head, EmbeddingHead)
        if (own := spoken.get("embeddings")) is not None:
            return own, EmbeddingsPassed(head, model=target.model, sends_base64=own.sends_base64, encode=encode_answer)
        for name, asked in self._targets.items():
            if (endpoint := spoken.get(name)) is not None:
                prepared = asked.prepare(head.canonical, model=target.model, strict=is_strict(exchange))
                tokens = head.estimated_input_tokens()
                return endpoint, EmbeddingTranslation(
                    head.canonical, prepared, encode_answer, model=target.model, tokens=tokens
                )
        raise NotServed
