"""Finds the model's name in a form (multipart/form-data) that passes by. Nothing else of the form is kept.

A provider must not read another name than we do. So whatever readers of forms could take in two ways is refused: a name
given twice, a part whose name is spelt in an unusual way, bytes before the first part or after the last, a boundary
behind half a line end.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gaiarouter.errors import InvalidRequest

_MOST_HEADERS: Final = 8 * 1024
_LONGEST_NAME: Final = 1024
_MEDIA_TYPE = re.compile(
    r"multipart/form-data\s*;\s*boundary=(?:\"([^\"\\]{1,70})\"|([\w'()+,./:=?-]{1,70}))\s*", re.IGNORECASE
)
_DISPOSITION = re.compile(
    rb"""content-disposition:[ ]*form-data[ ]*;[ ]*name=(?:"([^"\\\r\n]*)"|([\w.\[\]-]+))"""
    rb"""([ ]*;[ ]*filename=(?:"[^"\r\n]*"|[\w.-]+))?([ ]*;[ ]*filename\*=[^;\r\n"]+)?[ ]*""",
    re.IGNORECASE,
)


class Value(NamedTuple):
    """start, end: where it lies in the form, in bytes from its beginning."""

    text: str
    start: int
    end: int


def boundary_of(content_type: str) -> bytes:
    """Raises InvalidRequest for what is no form, or has no plain boundary."""
    found = _MEDIA_TYPE.fullmatch(content_type)
    if found is None:
        raise InvalidRequest("The Content-Type must be multipart/form-data with a boundary and nothing else")
    return (found[1] or found[2]).encode()


class FormScanner:
    """`feed` takes the form as it comes, `close` its end. Both raise InvalidRequest. model: None until it was read."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # the first delimiter has no line end before it
        self._pending = bytearray(b"\r\n")
        self._offset = -2
        self._step = self._delimited
        self._is_model = False
        self._is_fresh = False
        self._ended = False
        self.model: Value | None = None

    def feed(self, data: bytes) -> None:
        self._pending += data
        while self._step():
            pass

    def close(self) -> None:
        if not self._ended:
            raise InvalidRequest("The form ends before its last boundary")

    def _delimited(self) -> bool:
        """At a delimiter, or where one must be."""
        whole = len(self._delimiter) + 2
        if len(self._pending) < whole:
            return False
        after = bytes(self._pending[whole - 2 : whole])
        if not self._pending.startswith(self._delimiter) or after not in (b"\r\n", b"--"):
            raise InvalidRequest("The form does not keep to its boundary")
        # the line end may belong to the blank line that ends the headers of a part
        self._drop(whole - 2 if after == b"\r\n" else whole)
        self._step = self._headers if after == b"\r\n" else self._epilogue
        return True

    def _headers(self) -> bool:
        end = self._pending.find(b"\r\n\r\n")
        if end < 0 and len(self._pending) <= _MOST_HEADERS:
            return False
        if not 0 <= end <= _MOST_HEADERS:
            raise InvalidRequest("A part of the form has too many headers")
        self._is_model = self._named_model(bytes(self._pending[2:end]).split(b"\r\n"))
        self._drop(end + 4)
        self._is_fresh = True
        self._step = self._content
        return True

    def _named_model(self, lines: list[bytes]) -> bool:
        dispositions = [line for line in lines if line.lower().startswith(b"content-disposition")]
        found = _DISPOSITION.fullmatch(dispositions[0]) if len(dispositions) == 1 else None
        if found is None or any(line[:1] in b" \t" or b"\n" in line or b"\r" in line for line in lines):
            raise InvalidRequest("A part of the form is not named in the usual way")
        if (found[1] if found[1] is not None else found[2]) != b"model":
            return False
        if self.model is not None:
            raise InvalidRequest("The form names the `model` twice", param="model")
        if found[3] or found[4] or any(line.lower().startswith(b"content-transfer") for line in lines):
            raise InvalidRequest("`model` must be a plain text in the form", param="model")
        return True

    def _content(self) -> bool:
        at = self._pending.find(self._delimiter)
        if at < 0 and len(self._pending) < len(self._delimiter):
            return False
        self._refuse_half_delimiters(len(self._pending) if at < 0 else at)
        if self._is_model:
            if at < 0 and len(self._pending) <= _LONGEST_NAME + len(self._delimiter):
                return False
            if not 0 <= at <= _LONGEST_NAME:
                raise InvalidRequest("`model` is too long to be a name", param="model")
            self.model = Value(_text(bytes(self._pending[:at])), self._offset, self._offset + at)
        if at < 0:
            self._drop(len(self._pending) - len(self._delimiter))
            return False
        self._drop(at)
        self._step = self._delimited
        return True

    def _refuse_half_delimiters(self, end: int) -> None:
        """For some readers half a line end, or the blank line before the content, is enough before a boundary."""
        line = self._delimiter[2:]
        if self._is_fresh and self._pending.startswith(line):
            raise InvalidRequest("The form does not keep to its boundary")
        self._is_fresh = False
        at = self._pending.find(line, 0, end)
        while at >= 0:
            if at > 0 and self._pending[at - 1] in b"\r\n":
                raise InvalidRequest("The form does not keep to its boundary")
            at = self._pending.find(line, at + 1, end)

    def _epilogue(self) -> bool:
        self._ended = True
        if self._pending.strip(b"\r\n"):
            raise InvalidRequest("Something follows the end of the form")
        self._drop(len(self._pending))
        return False

    def _drop(self, size: int) -> None:
        del self._pending[:size]
        self._offset += size


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("`model` is no UTF-8", param="model") from None
