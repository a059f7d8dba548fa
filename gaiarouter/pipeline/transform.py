"""Which route serves this model, may this key use it, what the route edits, and who may see the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from gaiarouter.dialects.base import RequestHead
from gaiarouter.dialects.binding import BindingReader
from gaiarouter.dialects.kept.handles import CONTINUED, CONTINUING
from gaiarouter.dialects.kept.request import KeptHead
from gaiarouter.dialects.preferences import MEMBERS, Preferences, read_preferences
from gaiarouter.errors import Forbidden, NotFound
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.runner import Stage
from gaiarouter.routing.base import Match, ResolvedTarget
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.kept import Keepers
from gaiarouter.routing.preferences import Preferring
from gaiarouter.store.base import ApiKey


class Table(Protocol):
    def match(self, model: str) -> Match | None: ...

    def near(self, model: str, allowed: Callable[[str], bool]) -> list[str]:
        """The nearest names that `allowed` lets through."""
        ...


class Transform(Stage):
    """allows(globs, name): whether one of a key's globs takes the name. readers: by the caller's dialect, of what a
    request holds that is bound to its issuer."""

    def __init__(
        self,
        table: Table,
        allows: Callable[[tuple[str, ...], str], bool],
        issuers: Issuers,
        readers: Mapping[str, BindingReader],
        preferring: Preferring,
        keepers: Keepers,
    ) -> None:
        self._table = table
        self._allows = allows
        self._issuers = issuers
        self._readers = readers
        self._preferring = preferring
        self._keepers = keepers

    async def request(self, exchange: Exchange) -> None:
        request = exchange.request
        assert request is not None
        if isinstance(request, KeptHead):
            exchange.match, handle = self._kept(request, exchange)
            exchange.request = request.of(handle)
            return
        models, provider = request.member("models"), request.member("provider")
        exchange.match = match = self._route(request.model, exchange.key)
        if models is not None or provider is not None:
            wishes = read_preferences(models, provider)
            # the two go no further by themselves: most providers refuse what they do not know
            exchange.request = request = request.edited(default={}, set_={}, drop=MEMBERS, system=None)
            if wishes is not None:
                exchange.match = match = self._prefer(exchange, match, wishes)
        edits = match.route.transform
        if edits.default or edits.set or edits.drop or edits.system:
            exchange.request = request = request.edited(
                default=_filled(edits.default, exchange),
                set_=_filled(edits.set, exchange),
                drop=edits.drop,
                system=_filled(edits.system, exchange),
            )
        dialect = exchange.dialect.name
        if dialect in CONTINUING and (told := request.member(CONTINUED)) is not None:
            exchange.request, exchange.match = request, match = self._continued(request, match, told, exchange.owner)
        if dialect in self._readers and self._issuers.is_open(match, dialect):
            exchange.match = self._bound(request, match, dialect)

    def _kept(self, request: KeptHead, exchange: Exchange) -> tuple[Match, str]:
        """Whose answer it is need not be said, but for a key that may not use every model."""
        model, key = request.model, exchange.key
        if not model and key is not None and key.grants:
            raise Forbidden("This key may use certain models only: add `?model=` with the answer's.", param="model")
        return self._keepers.of(self._route(model, key) if model else None, request.handle, exchange.owner)

    def _continued(self, request: RequestHead, match: Match, told: Raw, owner: str) -> tuple[RequestHead, Match]:
        """The request with the handle that its issuer has made, and the way to that issuer."""
        handle = msgspec.json.decode(told, type=str | None)
        found = None if handle is None else self._keepers.continued(match, handle, owner)
        if found is None:
            return request, match
        match, own = found
        return request.edited(default={}, set_={CONTINUED: own}, drop=(), system=None), match

    def _prefer(self, exchange: Exchange, match: Match, wishes: Preferences) -> Match:
        matches = [match]
        for index, model in enumerate(wishes.models):
            if model != match.model:
                matches.append(self._route(model, exchange.key, param=f"models[{index}]"))
        exchange.preferences = wishes = self._preferring.placed(wishes, matches)
        return self._preferring.of_several(matches, wishes, exchange.received_s)

    def _bound(self, request: RequestHead, match: Match, dialect: str) -> Match:
        bindings = self._readers[dialect](request.body_for(model=request.model, ask_usage=False))
        return self._issuers.bound(match, bindings) if bindings else match

    def _route(self, model: str, key: ApiKey | None, *, param: str = "model") -> Match:
        grants = key.grants if key else ()
        if not grants and (match := self._table.match(model)) is not None:
            return match

        def allowed(name: str) -> bool:
            return all(self._allows(globs, name) for globs in grants)

        if not allowed(model):
            # whether such a model exists is not this key's to learn
            raise Forbidden(
                f"This key may not use the model {_quoted(model)}.{self._hint(model, allowed)}", param=param
            )
        match = self._table.match(model)
        if match is None:
            raise NotFound(
                f"The model {_quoted(model)} does not exist here.{self._hint(model, allowed)}",
                code="model_not_found",
                param=param,
            )
        for globs in grants:
            match = _granted(match, partial(self._allows, globs))
        return match

    def _hint(self, model: str, allowed: Callable[[str], bool]) -> str:
        near = self._table.near(model, allowed)
        return f" Nearest: {', '.join(near)}." if near else " `GET /v1/models` lists those that this key may use."


def _granted(match: Match, allowed: Callable[[str], bool]) -> Match:
    """By one of the lists that hold, the key's or its organization's. A name that is granted grants its route's own
    targets; a fallback must be granted by itself: as a model, as `provider/model`, or as the other route that it
    stands in."""

    def granted(target: ResolvedTarget) -> bool:
        by_route = target.route != match.route.name and allowed(target.route)
        return by_route or allowed(target.model) or allowed(target.id)

    fallbacks = tuple(
        replace(group, targets=tuple(target for target in group.targets if granted(target)))
        for group in match.groups[1:]
    )
    return replace(match, groups=match.groups[:1] + tuple(group for group in fallbacks if group.targets))


def _quoted(model: str) -> str:
    return repr(model if len(model) <= 64 else model[:63] + "…")


def _filled(value: Any, exchange: Exchange) -> Any:
    """The value with `{key.name}` and `{key.id}` filled in, in every string it holds."""
    match value:
        case str():
            return value.replace("{key.name}", exchange.key_name).replace("{key.id}", exchange.key_id)
        case Mapping():
            return {name: _filled(item, exchange) for name, item in value.items()}
        case list() | tuple():
            return [_filled(item, exchange) for item in value]
        case _:
            return value
