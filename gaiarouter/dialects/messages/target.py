"""Targets that speak the Messages format, whatever their callers speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Document, Image
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.learning import Learned, mended
from gaiarouter.dialects.messages.blocks import DIALECT
from gaiarouter.dialects.messages.bound import BoundBodies
from gaiarouter.dialects.messages.capabilities import Capabilities, CapabilityTable
from gaiarouter.dialects.messages.chunks import StreamDecoder
from gaiarouter.dialects.messages.errors import read_error
from gaiarouter.dialects.messages.lessons import lesson
from gaiarouter.dialects.messages.request import EncodedRequest, Target, encode_request
from gaiarouter.dialects.messages.response import decode_answer
from gaiarouter.errors import Rejected, UpstreamError


class MessagesTarget:
    """One provider that serves it. fetches_urls, web_search: as of request.Target."""

    def __init__(self, table: CapabilityTable, *, fetches_urls: bool = True, web_search: bool = False) -> None:
        self._known = Learned(table.of)
        self._bound = BoundBodies()
        self._fetches_urls = fetches_urls
        self._web_search = web_search

    def needs_bytes(self, part: Media) -> bool:
        return not self._fetches_urls and isinstance(part, Image | Document)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedMessages:
        """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do; `strict`, for
        whatever it cannot do exactly."""
        known = self._known.of(model)
        target = Target(
            model=model,
            capabilities=known,
            strict=strict,
            fetches_urls=self._fetches_urls,
            web_search=self._web_search,
        )
        encoded = self._bound.loosened(encode_request(request, target), known)
        is_own = request.dialect == DIALECT  # such a caller mends its history by itself
        learn = partial(self._learn, encoded=encoded, model=model, known=known, is_own=is_own)
        return PreparedMessages(encoded.body, encoded.headers, encoded.losses, encoded, learn)

    def _learn(
        self, error: Rejected, *, encoded: EncodedRequest, model: str, known: Capabilities, is_own: bool
    ) -> bool:
        if not is_own and self._bound.learn(error, encoded, known):
            return True
        return self._known.correct(model, lesson(error, encoded.body, self._known.of(model)), used=known)


class PreparedMessages(Struct, frozen=True):
    """Implements dialects.translate.PreparedRequest. _learn: whether a refusal says what must be written otherwise,
    which the next request then is."""

    body: bytes
    headers: Mapping[str, str]
    losses: tuple[Loss, ...]
    _encoded: EncodedRequest
    _learn: Callable[[Rejected], bool]

    def decode_answer(self, body: bytes) -> CanonicalAnswer:
        return decode_answer(body, self._encoded.plan)

    def stream_decoder(self) -> StreamDecoder:
        return StreamDecoder(self._encoded.plan)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return mended(read_error(status, headers, body), self._learn)
