"""Handles of kept answers as callers know them: the provider's own, and a mark that says for whom it was made.

Nothing is remembered of it: who has not the secret cannot make a mark, and each is good for one handle of one provider
and for one owner only.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from gaiarouter.dialects.counting import counted_in
from gaiarouter.dialects.responses.wire import ABSENT

SECRET_BYTES: Final = 32
CONTINUING: Final = ("responses", counted_in("responses"))
"""Dialects of requests that may go on from a kept answer."""
CONTINUED: Final = "previous_response_id"
_BEFORE: Final = "_g"
_MARK_BYTES: Final = 12
_MARK_CHARS: Final = 16
_TOKEN: Final = re.compile(rb'"([\w.:-]+)"', re.ASCII)
"""No provider's handle looks otherwise; what did would not be marked, and could not be asked for."""

Marking = Callable[[str], str]
"""A provider's handle as the caller is told it."""


class Issued(NamedTuple):
    """handle: as the issuer, a provider, knows it."""

    handle: str
    issuer: str


class Handles:
    """secret: the same in all processes that serve the same callers. owner: an organization, or a key that is of none;
    empty for callers without a key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def marking(self, *, issuer: str, owner: str) -> Marking:
        return lambda handle: self._told(Issued(handle, issuer), owner)

    def known(self, told: str, *, issuers: Iterable[str], owner: str) -> Issued | None:
        """What was marked; None where none of these issuers has made it for this owner."""
        for issuer in issuers:
            found = Issued(told[:-_MARK_CHARS].removesuffix(_BEFORE), issuer)
            if hmac.compare_digest(self._told(found, owner).encode(), told.encode()):
                return found
        return None

    def _told(self, issued: Issued, owner: str) -> str:
        said = "\0".join((issued.issuer, owner, issued.handle)).encode()
        mark = blake2b(said, key=self._secret, digest_size=_MARK_BYTES).digest()
        return f"{issued.handle}{_BEFORE}{urlsafe_b64encode(mark).decode()}"


class _Answer(Struct, gc=False):
    id: Raw = ABSENT
    previous_response_id: Raw = ABSENT


class _Event(Struct, gc=False):
    response: Raw = ABSENT


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def marked_answer(body: bytes, marking: Marking) -> bytes:
    """An answer, or what is told of one, that was found to be JSON."""
    return _marked(body, _decode_answer(body), marking)


def marked_event(event: bytes, data: bytes, marking: Marking) -> bytes:
    """data: what the event, one that was found to be sound, holds."""
    answer = bytes(_decode_event(data).response)
    return _marked(event, _decode_answer(answer), marking) if answer.startswith(b"{") else event


def _marked(text: bytes, answer: _Answer, marking: Marking) -> bytes:
    """Wherever a handle stands as a string of its own; in what a model said its quotation marks are escaped."""
    for token in (bytes(answer.id), bytes(answer.previous_response_id)):
        if (found := _TOKEN.fullmatch(token)) is not None:
            text = text.replace(token, f'"{marking(found[1].decode())}"'.encode())
    return text
