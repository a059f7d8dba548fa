"""What is left of a usage in which something cannot be read: a count below zero or beyond all windows, a text.

Rule: a count that others are contained in, or that stands beside them, must be right, else none of it is believed. A
detail, which says how a count divides, is left out: what it would have made dearer or cheaper counts as the usual kind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw

from gaiarouter.canonical.usage import REJECTED, Usage, later

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_Read = Callable[[bytes], object]

_DEPTH: Final = 3
"""Details of details of a usage; deeper objects are read as a whole or not at all."""
_LIMIT: Final = 64 * 1024
_NOTHING: Final = frozenset({b"", b"null"})

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def sifted(raw: bytes, reads: _Read, vital: Collection[str], usage_of: Callable[[Raw], Usage | None]) -> Usage | None:
    """`usage_of` what there is to read in `raw`, which `reads` cannot read. vital: names of the counts that must be
    right. None where nothing is told, REJECTED where nothing is to be believed."""
    if raw in _NOTHING:
        return None
    rest = _readable(raw, reads, vital)
    return later(None if rest is None else usage_of(Raw(rest)), REJECTED)


def _readable(raw: bytes, reads: _Read, vital: Collection[str]) -> bytes | None:
    """None where one of `vital` is not, or all."""
    if len(raw) > _LIMIT:
        return None
    try:
        members = _decode_members(raw)
    except UNREADABLE:
        return None
    kept = {name: _part(value, partial(_inside, reads, name), _DEPTH) for name, value in members.items()}
    if any(value is None and name in vital for name, value in kept.items()):
        return None
    return msgspec.json.encode({name: value for name, value in kept.items() if value is not None})


def _part(raw: Raw, reads: _Read, depth: int) -> Raw | None:
    if _can(reads, raw):
        return raw
    try:
        members = _decode_members(raw) if depth else {}
    except UNREADABLE:
        return None
    kept = {name: _part(value, partial(_inside, reads, name), depth - 1) for name, value in members.items()}
    rest = Raw(msgspec.json.encode({name: value for name, value in kept.items() if value is not None}))
    return rest if members and _can(reads, rest) else None


def _inside(reads: _Read, name: str, raw: bytes) -> object:
    return reads(msgspec.json.encode({name: Raw(raw)}))


def _can(reads: _Read, raw: bytes) -> bool:
    try:
        reads(raw)
    except UNREADABLE:
        return False
    return True
