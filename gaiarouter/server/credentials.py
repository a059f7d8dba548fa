"""Where clients put their key: one of several headers, sometimes in several at once."""

from __future__ import annotations

from typing import Final

from multidict import CIMultiDictProxy, istr

_AUTHORIZATION: Final = istr("Authorization")
_HEADERS: Final = (istr("x-api-key"), istr("x-goog-api-key"), istr("api-key"))


def credentials(headers: CIMultiDictProxy[str], *, from_query: str = "") -> tuple[str, ...]:
    """Every credential sent, in the order in which they count. An `Authorization` that is not Bearer is none.

    from_query: the `key` of a path where Google's clients may send it so.
    """
    found = []
    for value in headers.getall(_AUTHORIZATION, ()):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer" and (token := token.strip()):
            found.append(token)
    found.extend([sent for name in _HEADERS if name in headers and (sent := headers[name].strip())])
    if from_query and from_query.strip():
        found.append(from_query.strip())
    return tuple(found)
