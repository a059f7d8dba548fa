"""The text of a key: `sk-gaia-<public id>-<secret><checksum>`.

The secret is 43 characters of base62, 256 random bits, so a fast hash of it is enough. The checksum is CRC-32 of
everything before it: a typing error, or a string that only looks like a key, costs no look-up.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from zlib import crc32

PREFIX = "sk-gaia-"
RECORD_PREFIX = "key_"
MAX_KEY_LENGTH = 128

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 12
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6  # 62**6 > 2**32
_SHAPE = re.compile(
    rf"{PREFIX}([0-9A-Za-z]{{1,32}})-([0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A key at the one moment its text exists. id: of its record, `key_` and the public id."""

    id: str
    text: str = field(repr=False)
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A text of the right shape with the right checksum, which says nothing about whether such a key exists."""

    id: str
    secret: bytes = field(repr=False)


def mint(*, public_id: str | None = None, pepper: bytes | None = None) -> MintedKey:
    """A new key from the system's random source. public_id: 1 to 32 characters of base62; None draws one."""
    public_id = public_id or _random_text(_ID_LENGTH)
    secret = _random_text(_SECRET_LENGTH)
    body = f"{PREFIX}{public_id}-{secret}"
    return MintedKey(
        id=RECORD_PREFIX + public_id,
        text=body + _checksum(body),
        secret_hash=hash_secret(secret.encode(), pepper=pepper),
    )


def parse(text: str) -> ParsedKey | None:
    """None for another shape or a wrong checksum. Never raises, whatever characters `text` holds."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    public_id, secret, checksum = found.groups()
    if _checksum(text[:-_CHECKSUM_LENGTH]) != checksum:
        return None
    return ParsedKey(id=RECORD_PREFIX + public_id, secret=secret.encode())


def hash_secret(secret: bytes, *, pepper: bytes | None = None) -> bytes:
    """What the store keeps: SHA-256 of the secret, or with a pepper HMAC-SHA256, 32 bytes."""
    if pepper is None:
        return hashlib.sha256(secret).digest()
    return hmac.digest(pepper, secret, "sha256")


def verify(key: ParsedKey, secret_hash: bytes, *, pepper: bytes | None = None) -> bool:
    """Whether the key's secret has this hash, in a time that does not tell how much of it is right."""
    return hmac.compare_digest(hash_secret(key.secret, pepper=pepper), secret_hash)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def _checksum(body: str) -> str:
    number = crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
