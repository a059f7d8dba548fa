"""`/v1/messages/count_tokens`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gaiarouter.canonical.counting import TokenCount
from gaiarouter.dialects.members import JsonObject
from gaiarouter.dialects.messages.errors import read_error
from gaiarouter.errors import BadAnswer, UpstreamError


class _Count(Struct, gc=False):
    input_tokens: Annotated[int, Meta(ge=0)]


_LIMIT = "max_tokens"
"""A request to be answered must have it, and one to be counted may not."""
_decode = msgspec.json.Decoder(_Count).decode


class MessagesCount:
    """Implements dialects.counting.CountFormat."""

    counted = frozenset(
        {
            "cache_control",
            "context_management",
            "mcp_servers",
            "messages",
            "model",
            "output_config",
            "output_format",
            "speed",
            "system",
            "thinking",
            "tool_choice",
            "tools",
        }
    )

    def unwrap(self, body: JsonObject) -> bytes:
        return body.body if _LIMIT in body.members else body.patched({_LIMIT: b"1"})

    def wrap(self, whole: bytes, like: JsonObject) -> bytes:
        return whole if _LIMIT in like.members else JsonObject(whole).patched({}, drop=(_LIMIT,))

    def named(self, body: JsonObject, *, model: str) -> bytes:
        return body.replaced("model", msgspec.json.encode(model))

    def body_of(self, body: bytes, *, model: str) -> bytes:
        members = JsonObject(body)
        return members.patched({}, drop=members.members.keys() - self.counted)

    def read_count(self, body: bytes) -> TokenCount:
        try:
            return TokenCount(_decode(body).input_tokens)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer("The provider's answer holds no count of tokens") from error

    def write_count(self, count: TokenCount) -> bytes:
        return msgspec.json.encode({"input_tokens": count.tokens})

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
