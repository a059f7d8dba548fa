"""Targets that speak the Messages format, whatever their callers speak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gaiarouter.canonical.events import Event
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Document, Image
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.chunks import StreamDecoder
from gaiarouter.dialects.messages.errors import read_error
from gaiarouter.dialects.messages.request import EncodedRequest, Target, encode_request
from gaiarouter.dialects.messages.response import decode_answer
from gaiarouter.errors import UpstreamError


class MessagesTarget:
    """One provider that serves it. fetches_urls, web_search: as of request.Target."""

    def __init__(self, table: CapabilityTable, *, fetches_urls: bool = True, web_search: bool = False) -> None:
        self._table = table
        self._fetches_urls = fetches_urls
        self._web_search = web_search

    def needs_bytes(self, part: Media) -> bool:
        return not self._fetches_urls and isinstance(part, Image | Document)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedMessages:
        """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do; `strict`, for
        whatever it cannot do exactly."""
        target = Target(
            model=model,
            capabilities=self._table.of(model),
            strict=strict,
            fetches_urls=self._fetches_urls,
            web_search=self._web_search,
        )
        return PreparedMessages(encode_request(request, target))


class PreparedMessages:
    """Implements dialects.translate.PreparedRequest."""

    def __init__(self, encoded: EncodedRequest) -> None:
        self._encoded = encoded

    @property
    def body(self) -> bytes:
        return self._encoded.body

    @property
    def headers(self) -> Mapping[str, str]:
        return self._encoded.headers

    @property
    def losses(self) -> tuple[Loss, ...]:
        return self._encoded.losses

    def decode_answer(self, body: bytes) -> Iterable[Event]:
        return decode_answer(body, self._encoded.plan)

    def stream_decoder(self) -> StreamDecoder:
        return StreamDecoder(self._encoded.plan)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
