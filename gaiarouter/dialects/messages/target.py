"""Targets that speak the Messages format, whatever their callers speak."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Document, Image
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.learning import Learned, mended
from gaiarouter.dialects.messages.blocks import DIALECT
from gaiarouter.dialects.messages.bound import BoundBodies
from gaiarouter.dialects.messages.capabilities import CapabilityTable
from gaiarouter.dialects.messages.chunks import StreamDecoder
from gaiarouter.dialects.messages.errors import read_error
from gaiarouter.dialects.messages.lessons import lesson
from gaiarouter.dialects.messages.request import EncodedRequest, Target, encode_request
from gaiarouter.dialects.messages.response import decode_answer
from gaiarouter.errors import Rejected, UpstreamError


class MessagesTarget:
    """One provider that serves it. fetches_urls, web_search: as of request.Target."""

    def __init__(self, table: CapabilityTable, *, fetches_urls: bool = True, web_search: bool = False) -> None:
        self._targets = Learned(
            lambda model: Target(
                model=model, capabilities=table.of(model), fetches_urls=fetches_urls, web_search=web_search
            )
        )
        self._bound = BoundBodies()
        self._fetches_urls = fetches_urls

    def needs_bytes(self, part: Media) -> bool:
        return not self._fetches_urls and isinstance(part, Image | Document)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedMessages:
        """Raises InvalidRequest, by the caller's own name of the field, for what the API cannot do; `strict`, for
        whatever it cannot do exactly."""
        target = self._targets.of(model)
        encoded = encode_request(request, replace(target, strict=True) if strict else target)
        encoded = self._bound.loosened(encoded, target.capabilities)
        is_own = request.dialect == DIALECT  # such a caller mends its history by itself
        return PreparedMessages(encoded.body, encoded.headers, encoded.losses, encoded, target, is_own, self)

    def learn(self, error: Rejected, encoded: EncodedRequest, used: Target, *, is_own: bool) -> bool:
        """Whether the refusal says what must be written otherwise, which the next request then is."""
        if not is_own and self._bound.learn(error, encoded, used.capabilities):
            return True
        now = self._targets.of(used.model)
        known = lesson(error, encoded.body, now.capabilities)
        better = None if known is None else replace(now, capabilities=known)
        return self._targets.correct(used.model, better, used=used)


class PreparedMessages(Struct, frozen=True):
    """Implements dialects.translate.PreparedRequest. _used: what was known of the model when it was written."""

    body: bytes
    headers: Mapping[str, str]
    losses: tuple[Loss, ...]
    _encoded: EncodedRequest
    _used: Target
    _is_own: bool
    _provider: MessagesTarget

    def decode_answer(self, body: bytes) -> CanonicalAnswer:
        return decode_answer(body, self._encoded.plan)

    def stream_decoder(self) -> StreamDecoder:
        return StreamDecoder(self._encoded.plan)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return mended(read_error(status, headers, body), self._learn)

    def _learn(self, error: Rejected) -> bool:
        return self._provider.learn(error, self._encoded, self._used, is_own=self._is_own)
