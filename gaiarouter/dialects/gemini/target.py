"""Targets that speak the Gemini format, whatever their callers speak."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media, web_address
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.gemini.capabilities import CapabilityTable
from gaiarouter.dialects.gemini.chunks import StreamDecoder
from gaiarouter.dialects.gemini.errors import read_error
from gaiarouter.dialects.gemini.media import loads_anyway
from gaiarouter.dialects.gemini.request import EncodedRequest, Target, encode_request
from gaiarouter.dialects.gemini.response import decode_answer
from gaiarouter.dialects.learning import Learned
from gaiarouter.errors import UpstreamError


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
        self._known = Learned(table.of)
        self._developer_api = developer_api
        self._fetches_urls = fetches_urls
        self._web_search = web_search

    def needs_bytes(self, part: Media) -> bool:
        url = web_address(part)
        return not self._fetches_urls and url is not None and not loads_anyway(url, own_files=self._developer_api)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedGemini:
        """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do; `strict`, for
        whatever it cannot do exactly."""
        target = Target(
            model=model,
            capabilities=self._known.of(model),
            strict=strict,
            developer_api=self._developer_api,
            fetches_urls=self._fetches_urls,
            web_search=self._web_search,
        )
        encoded = encode_request(request, target)
        return PreparedGemini(encoded.body, encoded.headers, encoded.losses, encoded)


class PreparedGemini(Struct, frozen=True):
    """Implements dialects.translate.PreparedRequest."""

    body: bytes
    headers: Mapping[str, str]
    losses: tuple[Loss, ...]
    _encoded: EncodedRequest

    def decode_answer(self, body: bytes) -> CanonicalAnswer:
        return decode_answer(body, self._encoded.plan)

    def stream_decoder(self) -> StreamDecoder:
        return StreamDecoder(self._encoded.plan)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
