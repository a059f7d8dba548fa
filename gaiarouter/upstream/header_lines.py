"""Headers as they go over the wire, to providers and to callers alike."""

from __future__ import annotations

from collections.abc import Mapping

from gaiarouter.errors import InternalError


def header_lines(headers: Mapping[str, str], *, reader: str) -> str:
    """Each line with its end. reader: for the error. Raises InternalError for a header that would be more than one."""
    text, count = "\r\n".join([*map(": ".join, headers.items()), ""]), len(headers)
    if text.count("\n") != count or text.count("\r") != count or "\0" in text:
        raise InternalError(f"A header for the {reader} held a line break.")
    return text
