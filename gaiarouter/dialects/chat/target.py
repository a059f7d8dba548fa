"""Targets that speak Chat, for callers of any other format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import assert_never

from gaiarouter.canonical.events import CanonicalAnswer
from gaiarouter.canonical.losses import Loss
from gaiarouter.canonical.media import Media
from gaiarouter.canonical.parts import Audio, Document, Image, Video
from gaiarouter.canonical.request import CanonicalRequest
from gaiarouter.dialects.chat.capabilities import CapabilityTable
from gaiarouter.dialects.chat.lessons import Known, lesson
from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.dialects.chat.provider_errors import read_error
from gaiarouter.dialects.chat.target_chunks import StreamDecoder
from gaiarouter.dialects.chat.target_request import EncodedRequest, Target, encode_request
from gaiarouter.dialects.chat.target_response import decode_answer
from gaiarouter.dialects.learning import Learned, mended
from gaiarouter.errors import Rejected, UpstreamError

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ChatTarget:
    """Implements dialects.translate.Target."""

    def __init__(self, profile: ChatProfile, table: CapabilityTable) -> None:
        self._profile = profile
        self._known = Learned(lambda model: Known(profile, table.of(model)))

    def needs_bytes(self, part: Media) -> bool:
        match part:
            case Image():
                return self._profile.images and not self._profile.image_urls
            case Document():
                return True  # every server takes text, and only its bytes tell whether it is
            case Audio():
                return self._profile.audio
            case Video():
                return False
            case _:
                assert_never(part)

    def prepare(self, request: CanonicalRequest, *, model: str, strict: bool) -> PreparedChat:
        known = self._known.of(model)
        target = Target(model=model, profile=known.profile, capabilities=known.capabilities, strict=strict)
        encoded = encode_request(request, target)

        def learn(error: Rejected) -> bool:
            return self._known.correct(model, lesson(error, encoded.body, self._known.of(model)), used=known)

        return PreparedChat(encoded, learn)


class PreparedChat:
    """Implements dialects.translate.PreparedRequest."""

    headers = _NO_HEADERS

    def __init__(self, encoded: EncodedRequest, learn: Callable[[Rejected], bool]) -> None:
        """learn: whether a refusal says what must be written otherwise, which the next request then is."""
        self._encoded = encoded
        self._learn = learn

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
        return mended(read_error(status, headers, body), self._learn)
