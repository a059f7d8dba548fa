"""Targets that speak the Responses format, whatever their callers speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Audio, Document, Image, Video
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.responses.errors import read_error
from gaiarouter.dialects.responses.target_chunks import StreamDecoder
from gaiarouter.dialects.responses.target_request import EncodedRequest, encode_request
from gaiarouter.dialects.responses.target_response import decode_answer
from gaiarouter.errors import UpstreamError


class ResponsesTarget:
    """Implements dialects.translate.Target. fetches_urls: the provider loads addresses of pictures and files by
    itself."""

    def __init__(self, *, fetches_urls: bool = True) -> None:
        self._fetches_urls = fetches_urls

    def needs_bytes(self, part: Media) -> bool:
        match part:
            case Image() | Document():
                return not self._fetches_urls
            case Audio():
                return True
            case Video():
                return False
            case _:
                assert_never(part)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedResponses:
        return PreparedResponses(encode_request(request, model=model, strict=strict))


class PreparedResponses:
    """Implements dialects.translate.PreparedRequest."""

    headers: Mapping[str, str] = {}

    def __init__(self, encoded: EncodedRequest) -> None:
        self._encoded = encoded

    @property
    def body(self) -> bytes:
        return self._encoded.body

    @property
    def losses(self) -> tuple[Loss, ...]:
        return self._encoded.losses

    def decode_answer(self, body: bytes) -> CanonicalAnswer:
        return decode_answer(body, self._encoded.plan)

    def stream_decoder(self) -> StreamDecoder:
        return StreamDecoder(self._encoded.plan)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
