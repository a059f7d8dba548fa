"""Words of errors, fit to be shown in every dialect."""

from __future__ import annotations

MAX_MESSAGE_BYTES = 1024


def clip(message: str) -> str:
    """Up to 1 KiB of UTF-8. Control characters and lone surrogates go: escaped, they would be six times as long."""
    printable = "".join(character if character.isprintable() else " " for character in message[:MAX_MESSAGE_BYTES])
    return printable.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")
