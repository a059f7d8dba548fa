"""The limits of a key and of its organization, as one lease."""

from __future__ import annotations

from collections.abc import Callable

from gaiarouter.limits.base import Lease, Window


class Together:
    """Implements Lease over two. Of two windows it shows the one with less room."""

    __slots__ = ("_own", "_tenants")

    def __init__(self, own: Lease, tenants: Lease) -> None:
        self._own = own
        self._tenants = tenants

    @property
    def requests(self) -> Window | None:
        return _tighter(self._own.requests, self._tenants.requests)

    @property
    def tokens(self) -> Window | None:
        return _tighter(self._own.tokens, self._tenants.tokens)

    def reserve_tokens(self, tokens: int) -> None:
        self._own.reserve_tokens(tokens)
        self._tenants.reserve_tokens(tokens)

    def settle(self, tokens: int | None) -> None:
        self._own.settle(tokens)
        self._tenants.settle(tokens)


def together(own: Lease, tenants: Callable[[], Lease]) -> Lease:
    """tenants: takes the other lease. Where that is refused the first is given back, but for the request it counted."""
    try:
        return Together(own, tenants())
    except BaseException:
        own.settle(None)
        raise


def _tighter(one: Window | None, other: Window | None) -> Window | None:
    if one is None or other is None:
        return one or other
    return one if one.remaining <= other.remaining else other
