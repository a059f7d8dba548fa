"""Makes a provider's words fit to be shown: they may quote keys, and name hosts that are nobody's business.

Looked at word by word, and no word is long, so that no text takes long however it is made.
"""

from __future__ import annotations

import re

MAX_MESSAGE_CHARS = 512
MAX_READ_CHARS = 4096

_SCHEME = re.compile(r"\b(?:bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{6,}", re.IGNORECASE)
_WORD = re.compile(r"[^\s\"'`<>()\[\]{},;|]+")
_MAX_WORD_CHARS = 128
_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|csk|fw|hf|r8|nvapi|key|sess|org|proj|user|acct|req)[-_][\w-]{6}|\bAIza[\w-]{10}|\beyJ[\w-]{10}"
)
_LONG_TOKEN = re.compile(r"[A-Za-z0-9]{32,}")
_IP_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f:]", re.IGNORECASE)
_HOST = re.compile(r"\b[a-z0-9-]{1,63}\.(?:com|net|org|io|ai|dev|app|cloud|co|internal|local|svc|lan)\b", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` without what looks like a key, an account or an address. Only its first 4,096 characters are kept."""
    return _WORD.sub(_seemly, _SCHEME.sub("[redacted]", text[:MAX_READ_CHARS]))


def message_of(text: str) -> str:
    """One line for a caller: redacted, blank space folded, at most 512 characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= MAX_MESSAGE_CHARS else line[: MAX_MESSAGE_CHARS - 1] + "…"


def _seemly(match: re.Match[str]) -> str:
    whole = match.group()
    word = whole.rstrip(".:!?")
    end = whole[len(word) :]
    if len(word) > _MAX_WORD_CHARS or "***" in word or _KEY.search(word) or _is_token(word):
        return "[redacted]" + end
    if "://" in word or "@" in word or _IP_ADDRESS.search(word) or _HOST.search(word):
        return "[address]" + end
    return whole


def _is_token(word: str) -> bool:
    """Long, and of letters and digits both: a key, a digest or an id, but no word of any language."""
    return any(any(c.isdigit() for c in run) and any(c.isalpha() for c in run) for run in _LONG_TOKEN.findall(word))
