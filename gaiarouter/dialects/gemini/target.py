"""Targets that speak the Gemini format, whatever their callers speak."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gaiarouter.canonical.media import Media, web_address
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.gemini.capabilities import CapabilityTable
from gaiarouter.dialects.gemini.media import loads_anyway
from gaiarouter.dialects.gemini.request import EncodedRequest, Target, encode_request

_MOST_MODELS: Final = 1000
"""Callers may make up names of models."""


class GeminiTarget:
    """One provider that serves it. developer_api, fetches_urls, web_search: as of request.Target."""

    def __init__(
        self,
        table: CapabilityTable,
        *,
        developer_api: bool = True,
        fetches_urls: bool = False,
        web_search: bool = False,
    ) -> None:
        self._developer_api = developer_api
        self._fetches_urls = fetches_urls

        def target(model: str, strict: bool) -> Target:
            return Target(
                model=model,
                capabilities=table.of(model),
                strict=strict,
                developer_api=developer_api,
                fetches_urls=fetches_urls,
                web_search=web_search,
            )

        self._target = lru_cache(_MOST_MODELS)(target)

    def needs_bytes(self, part: Media) -> bool:
        url = web_address(part)
        return not self._fetches_urls and url is not None and not loads_anyway(url, own_files=self._developer_api)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> EncodedRequest:
        """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do; `strict`, for
        whatever it cannot do exactly."""
        return encode_request(request, self._target(model, strict))
