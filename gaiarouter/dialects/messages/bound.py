"""Thinking that the API finds bound to another conversation: the request is written again so that it is left out.

The caller has edited what came before such a block, which only the account's newer rules forbid. Asked to, the API
drops the blocks by itself, and knows best which. This is done once for a request, and only for those the gateway wrote.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from gaiarouter.dialects.messages.capabilities import Capabilities
from gaiarouter.dialects.messages.request import EncodedRequest
from gaiarouter.errors import Rejected

BETA: Final = "thinking-binding-controls-2026-08-01"
_REFUSAL = re.compile(r"the block is bound to a different conversation", re.IGNORECASE)
_BINDING: Final = {"block_binding": {"prefix_mismatch_behavior": "drop_block"}}
_TAKEN: Final = ("adaptive", "enabled")
_MOST_BODIES: Final = 1000
_decode = msgspec.json.Decoder(dict[str, Raw]).decode


class BoundBodies:
    """Those that were refused for such a block, by their digests."""

    def __init__(self) -> None:
        self._refused: set[bytes] = set()

    def loosened(self, encoded: EncodedRequest, known: Capabilities) -> EncodedRequest:
        """The request as it is to be sent."""
        if not self._refused or _digest(encoded.body) not in self._refused:
            return encoded
        thinking = _thinking(encoded.body, known)
        if thinking is None:
            return encoded
        body: Mapping[str, Any] = {**_decode(encoded.body), "thinking": thinking | _BINDING}
        return replace(encoded, body=msgspec.json.encode(body), headers={**encoded.headers, "anthropic-beta": BETA})

    def learn(self, error: Rejected, encoded: EncodedRequest, known: Capabilities) -> bool:
        """Whether the request would be written otherwise now. encoded: as it was sent."""
        if not _REFUSAL.search(error.message) or "anthropic-beta" in encoded.headers:
            return False
        if b'"signature"' not in encoded.body or _thinking(encoded.body, known) is None:
            return False
        if len(self._refused) >= _MOST_BODIES:
            self._refused.clear()
        self._refused.add(_digest(encoded.body))
        error.edits_history = True
        return True


def _thinking(body: bytes, known: Capabilities) -> dict[str, Any] | None:
    """What is asked of thinking, spelt out; None where the API would take no such wish."""
    raw = _decode(body).get("thinking")
    if raw is None:
        return {"type": "adaptive"} if known.thinks_unasked != "no" and "adaptive" in known.thinking else None
    asked: dict[str, Any] = msgspec.json.decode(raw)
    return asked if asked.get("type") in _TAKEN else None


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
