"""The secrets of the control plane: from the environment alone, so that no copy of the file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gaiarouter.config.problems import Findings, Problem
from gaiarouter.config.secret import Secret

ADMIN_KEY: Final = "GAIAROUTER_ADMIN_KEY"
PEPPER: Final = "GAIAROUTER_KEY_PEPPER"
_SHORTEST: Final = {ADMIN_KEY: 32, PEPPER: 16}
_KEY_PREFIX: Final = "sk-gaia-"
_KNOWN: Final = ("sk-1234", "admin", "changeme", "change-me", "password", "secret", "example", "default", "test")
"""What stands in examples; longer ones are made by saying it again."""
_ADVICE: Final = "`openssl rand -hex 32` makes a good one"


def read_secrets(environ: Mapping[str, str], findings: Findings) -> tuple[Secret | None, Secret | None]:
    """The admin key and the pepper; None where the variable is absent or empty. Never repeats what it refuses."""
    return _secret(ADMIN_KEY, environ, findings), _secret(PEPPER, environ, findings)


def _secret(name: str, environ: Mapping[str, str], findings: Findings) -> Secret | None:
    text = environ.get(name, "")
    if not text:
        return None
    why = _why_not(name, text)
    if why is not None:
        findings.add(Problem(name, 0, 0, "", f"{why}; {_ADVICE}"))
    return Secret(text)


def _why_not(name: str, text: str) -> str | None:
    if len(text) < _SHORTEST[name]:
        return f"is too short, expected at least {_SHORTEST[name]} characters"
    if len(set(text)) < 8 or any(not set(text.lower().split(known)) - {"", "-", "_"} for known in _KNOWN):
        return "is an example that everybody knows, or nearly so"
    if not text.isascii() or not text.isprintable() or " " in text:
        return "holds what cannot be sent in a header, expected printable ASCII without spaces"
    if name == ADMIN_KEY and text.startswith(_KEY_PREFIX):
        return f"begins with {_KEY_PREFIX} as the store's own keys do"
    return None
