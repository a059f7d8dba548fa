"""Who has kept an answer that is asked for, or gone on from, by its handle: whoever issued it, to this very caller.

Without marks on handles, as where nobody is really asked, it is the one provider that can have issued it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gaiarouter.config.settings import Group, Provider, Route
from gaiarouter.dialects.binding import Binding
from gaiarouter.dialects.kept.handles import CONTINUED, Handles, Issued
from gaiarouter.dialects.kept.request import BINDING
from gaiarouter.errors import InvalidRequest, NotFound
from gaiarouter.routing.base import Match, ResolvedGroup, ResolvedTarget
from gaiarouter.routing.issuers import Issuers

_ROUTE: Final = Route("(kept)", (), Group())
"""There is none in the file: what would stand in it is as it is where a route says nothing."""
_CONTINUED: Final = Binding(CONTINUED, BINDING.dialects)
_MAX_SHOWN: Final = 64


class Keepers:
    """handles: None where they are as their providers have made them."""

    def __init__(self, providers: Mapping[str, Provider], issuers: Issuers, handles: Handles | None) -> None:
        self._on = tuple(name for name, provider in providers.items() if provider.off is None)
        self._issuers = issuers
        self._handles = handles

    def of(self, match: Match | None, told: str, owner: str) -> tuple[Match, str]:
        """Where an answer is asked for, and its issuer's handle of it. match: the model's, where the caller says whose
        answer it is; None takes all providers. Raises NotFound for what is not this owner's, InvalidRequest where
        nobody, or not just one, can have issued it."""
        if self._handles is None:
            if match is not None:
                return self._issuers.bound(match, (BINDING,)), told
            return _at(self._issuers.sole(self._on, BINDING)), told
        issued = self._known(self._handles, told, owner)
        if issued is None:
            raise NotFound(f"Response with id '{told[:_MAX_SHOWN]}' not found.")
        if match is not None:
            return self._issuers.only(match, issued.issuer, BINDING), issued.handle
        return _at(issued.issuer), issued.handle

    def continued(self, match: Match, told: str, owner: str) -> tuple[Match, str] | None:
        """The same for a request that goes on from an answer. None where that is not to be looked at here: nobody has
        marked it, or none of the match's providers keeps any."""
        if self._handles is None or not self._issuers.keeps(match, _CONTINUED):
            return None
        issued = self._known(self._handles, told, owner)
        if issued is None:
            raise InvalidRequest(
                f"Previous response with id '{told[:_MAX_SHOWN]}' not found.",
                code="previous_response_not_found",
                param=CONTINUED,
            )
        return self._issuers.only(match, issued.issuer, _CONTINUED), issued.handle

    def _known(self, handles: Handles, told: str, owner: str) -> Issued | None:
        return handles.known(told, issuers=self._issuers.candidates(self._on, BINDING), owner=owner)


def _at(keeper: str) -> Match:
    return Match(_ROUTE, "", "", (), (ResolvedGroup((ResolvedTarget(keeper, "", _ROUTE.name),)),))
