"""Who has kept an answer that is asked for by its handle: the one provider that can have issued it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gaiarouter.config.settings import Group, Provider, Route
from gaiarouter.dialects.kept.request import BINDING
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.issuers import Issuers

_ROUTE: Final = Route("(kept)", (), Group())
"""There is none in the file: what would stand in it is as it is where a route says nothing."""


class Keepers:
    def __init__(self, providers: Mapping[str, Provider], issuers: Issuers) -> None:
        self._on = tuple(name for name, provider in providers.items() if provider.off is None)
        self._issuers = issuers

    def of(self, match: Match | None) -> Match:
        """Raises InvalidRequest if nobody, or not just one, can have issued it. match: the model's, where the caller
        says whose answer it is; None takes all providers."""
        if match is not None:
            return self._issuers.bound(match, (BINDING,))
        keeper = self._issuers.sole(self._on, BINDING)
        return Match(_ROUTE, "", "", (), (ResolvedGroup((ResolvedTarget(keeper, "", _ROUTE.name),)),))
