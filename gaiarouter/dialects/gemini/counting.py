"""`models/{model}:countTokens`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gaiarouter.canonical.counting import TokenCount
from gaiarouter.dialects.gemini.errors import read_error
from gaiarouter.dialects.members import JsonObject
from gaiarouter.errors import BadAnswer, UpstreamError


class _Count(Struct, gc=False, rename="camel"):
    total_tokens: Annotated[int, Meta(ge=0)]


_WHOLE = ("generateContentRequest", "generate_content_request")
_decode = msgspec.json.Decoder(_Count).decode


class GeminiCount:
    """Implements dialects.counting.CountFormat."""

    counted = frozenset({"cachedContent", "contents", "generationConfig", "systemInstruction", "toolConfig", "tools"})

    def unwrap(self, body: JsonObject) -> bytes:
        name = _whole_in(body)
        return body.body if name is None else bytes(body.members[name])

    def wrap(self, whole: bytes, like: JsonObject) -> bytes:
        name = _whole_in(like)
        return whole if name is None else like.patched({name: whole})

    def named(self, body: JsonObject, *, model: str) -> bytes:
        """The address names the model too, and the two must be the same."""
        name = _whole_in(body)
        if name is None:
            return body.body
        return body.patched({name: JsonObject(bytes(body.members[name])).patched({"model": _name(model)})})

    def body_of(self, body: bytes, *, model: str) -> bytes:
        """The whole request stands inside: only so are instructions and tools counted."""
        return b'{"generateContentRequest":' + JsonObject(body).patched({"model": _name(model)}) + b"}"

    def read_count(self, body: bytes) -> TokenCount:
        try:
            return TokenCount(_decode(body).total_tokens)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer("The provider's answer holds no count of tokens") from error

    def write_count(self, count: TokenCount) -> bytes:
        return msgspec.json.encode(
            {
                "totalTokens": count.tokens,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count.tokens}],
            }
        )

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)


def _whole_in(body: JsonObject) -> str | None:
    """Callers send the contents alone, or the whole request, in either spelling."""
    return next((name for name in _WHOLE if name in body.members), None)


def _name(model: str) -> bytes:
    return msgspec.json.encode(f"models/{model.removeprefix('models/')}")
