"""Makes a provider's words fit to be shown: they may quote keys, and name hosts that are nobody's business."""

from __future__ import annotations

import re

MAX_MESSAGE_CHARS = 512

# each alternative is linear; together they run over at most MAX_READ_CHARS
_SECRET = re.compile(
    r"""
    \b(?:sk|pk|rk|gsk|xai|csk|fw|hf|r8|nvapi|key|sess|org|proj|user|acct|req)[-_][\w-]{6,}[\w.*-]*
    | \bAIza[\w-]{10,} | \beyJ[\w-]{10,}[\w.-]*    # Google's keys, JSON web tokens
    | \b(?i:bearer|basic)\s+[\w.~+/=-]{6,}
    | [\w.:-]*\*{3,}[\w.:*-]*                                               # a key that was masked in part
    | \b(?=[A-Za-z0-9]{0,63}[0-9])(?=[A-Za-z0-9]{0,63}[A-Za-z])[A-Za-z0-9]{32,}\b
    """,
    re.VERBOSE,
)
_ADDRESS = re.compile(
    r"""
    \b[a-z][a-z0-9+.-]{1,10}://[^\s"'<>)\]]+
    | [\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}
    | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b
    | \b(?:[a-z0-9-]{1,63}\.){1,6}(?:com|net|org|io|ai|dev|app|cloud|co|internal|local|svc|lan)\b
      (?::\d+)?(?:/[^\s"'<>)\]]*)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MAX_READ_CHARS = 8192


def redact(text: str) -> str:
    """`text` without what looks like a key, an account or an address. Only its first 8,192 characters are kept."""
    return _ADDRESS.sub("[address]", _SECRET.sub("[redacted]", text[:_MAX_READ_CHARS]))


def message_of(text: str) -> str:
    """One line for a caller: redacted, blank space folded, at most 512 characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= MAX_MESSAGE_CHARS else line[: MAX_MESSAGE_CHARS - 1] + "…"
