"""The headers of an answer, as the rest of the gateway reads them."""

from __future__ import annotations

from typing import Final

_LINE_LIMIT: Final = 16 * 1024
_HEADER_LIMIT: Final = 128

Fields = list[tuple[bytes, bytes]]


class HeadReader:
    """One connection's. A provider's answers mostly have the same names in the same order: those are read once."""

    __slots__ = ("_are_distinct", "_keys", "_names")

    def __init__(self) -> None:
        self._names: tuple[bytes, ...] = ()
        self._keys: tuple[str, ...] = ()
        self._are_distinct = True

    def read(self, fields: Fields) -> dict[str, str] | None:
        """By their names in lower case; of one that comes several times the list. None for a head beyond bounds."""
        if not fields:
            return {}
        names, values = zip(*fields, strict=True)
        if names != self._names:
            if len(names) > _HEADER_LIMIT:
                return None
            self._names, self._keys = names, tuple([name.decode("latin-1").lower() for name in names])
            self._are_distinct = len(set(self._keys)) == len(names)
        text = b"\0".join(values).decode("latin-1")
        if len(text) > _LINE_LIMIT and any(len(value) > _LINE_LIMIT for value in values):
            return None
        if self._are_distinct:
            return dict(zip(self._keys, text.split("\0"), strict=True))  # the parser lets no NUL through
        return self._joined(values)

    def _joined(self, values: tuple[bytes, ...]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for key, value in zip(self._keys, values, strict=True):
            text = value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return headers
