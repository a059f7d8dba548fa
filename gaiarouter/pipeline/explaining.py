"""Why a request goes where it goes, now: what the table says, and of each candidate what speaks against it.

The stages that serve requests are asked, so that this cannot tell another story than they do. Nothing is sent or
loaded, and nothing of the request but paths of its fields is in the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

from gaiarouter.dialects.base import Dialect, Envelope, RequestHead
from gaiarouter.dialects.binding import Binding, BindingReader
from gaiarouter.dialects.preferences import read_preferences
from gaiarouter.errors import (
    Forbidden,
    GatewayError,
    InvalidRequest,
    MediaNotLoaded,
    NotFound,
    NotServed,
    UpstreamError,
)
from gaiarouter.pipeline.conversion import Convert
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.transform import Transform
from gaiarouter.routing.base import ResolvedTarget
from gaiarouter.routing.breaker import Health
from gaiarouter.routing.explain import ExplainedTarget, Explanation, Reason, explain
from gaiarouter.routing.issuers import Issuers
from gaiarouter.routing.table import Table
from gaiarouter.store.base import ApiKey
from gaiarouter.upstream.base import Loaded, NotLoaded

_ANY_REQUEST: Final = {"messages": [{"role": "user", "content": "x"}]}
_ANY_DIALECT: Final = "chat"
_NAMED_IN_PATHS: Final = ("gemini",)
"""Dialects whose bodies name no model."""


@dataclass(frozen=True, slots=True)
class Question:
    """model, or the body of a whole request with its dialect; then model is the one to go by instead of its own, or
    where it names none. key: whose request it would be; None may use everything."""

    model: str | None = None
    body: bytes | None = None
    dialect: str = _ANY_DIALECT
    key: ApiKey | None = None


class NothingLoaded:
    """As upstream.base.MediaSource, where nobody is to be asked for anything."""

    async def load(self, urls: Iterable[str], loaded: MutableMapping[str, Loaded], *, deadline: float) -> float:
        loaded.update(dict.fromkeys(urls, NotLoaded("nothing is loaded here")))
        return 0.0


class Explainer:
    """convert: with a MediaSource that loads nothing. readers, dialects: by the caller's dialect."""

    def __init__(
        self,
        table: Table,
        transform: Transform,
        convert: Convert,
        issuers: Issuers,
        readers: Mapping[str, BindingReader],
        dialects: Mapping[str, Dialect],
        health: Health,
    ) -> None:
        self._table = table
        self._transform = transform
        self._convert = convert
        self._issuers = issuers
        self._dialects = dialects
        self._readers = readers
        self._health = health

    async def explain(self, question: Question, now: float) -> Explanation:
        """now: monotonic seconds. Raises InvalidRequest for a body that is no request of its dialect."""
        exchange = self._exchange(question, now)
        assert exchange.request is not None
        model = exchange.request.model
        whole = question.body is not None
        told = explain(
            self._table,
            model,
            after=_asked_after(exchange.request),
            issuers=self._issuers,
            bindings=self._bindings(exchange) if whole else (),
        )
        refused, refusal = None, None
        try:
            await self._transform.request(exchange)
        except GatewayError as error:
            refused, refusal = error, f"{error.status} {error.code or 'null'}: {error.message}"
        if told.place is None:
            return told if refusal is None else replace(told, in_the_end=refusal)
        groups = []
        for group in told.groups:
            targets = [await self._refined(each, exchange, refused, whole=whole) for each in group.targets]
            groups.append(replace(group, targets=tuple(targets)))
        nobody = not any(target.kept for group in groups for target in group.targets)
        end = refusal or (_NOBODY if nobody else told.in_the_end)
        return replace(told, groups=tuple(groups), in_the_end=end)

    def _exchange(self, question: Question, now: float) -> Exchange:
        dialect = self._dialects[question.dialect if question.body is not None else _ANY_DIALECT]
        body, envelope = question.body, Envelope()
        if body is None:
            body = orjson.dumps({"model": question.model, **_ANY_REQUEST})
        elif question.model is not None:
            envelope = Envelope(model=question.model, stream=False)
            if question.dialect not in _NAMED_IN_PATHS:
                body = _named(body, question.model)

        async def receive() -> bytes:
            return body

        exchange = Exchange(
            id="explain",
            request_id="explain",
            dialect=dialect,
            credentials=(),
            receive=receive,
            reply=_NoReply(),
            received_s=now,
            received_us=0,
            envelope=envelope,
            key=question.key,
        )
        exchange.request = dialect.read_request(body, envelope)
        return exchange

    def _bindings(self, exchange: Exchange) -> tuple[Binding, ...]:
        assert exchange.request is not None
        reader = self._readers.get(exchange.dialect.name)
        return () if reader is None else reader(_written(exchange.request))

    async def _refined(
        self, told: ExplainedTarget, exchange: Exchange, refused: GatewayError | None, *, whole: bool
    ) -> ExplainedTarget:
        if told.reasons:
            return told
        target = ResolvedTarget(told.provider, told.model, "")
        reasons = [*self._left_out(target, exchange, refused), *self._ill(target, exchange.received_s)]
        dropped: tuple[str, ...] = ()
        if whole and refused is None:
            try:
                _, conversion = await self._convert(exchange, target)
                dropped = conversion.dropped
            except MediaNotLoaded:
                pass  # for a real request it would have been loaded first
            except NotServed:
                reasons.append(Reason("capability", "it serves no requests of this kind"))
            except (InvalidRequest, UpstreamError) as error:
                reasons.append(Reason("capability", error.message))
        return replace(told, kept=not reasons, reasons=tuple(reasons), dropped=dropped)

    def _left_out(self, target: ResolvedTarget, exchange: Exchange, refused: GatewayError | None) -> list[Reason]:
        """By the request's way through Transform."""
        match refused:
            case None:
                pass
            case NotFound() | Forbidden():
                return [Reason("access", "the request is refused")]
            case InvalidRequest(code="no_matching_provider"):
                return [_CHOICE]
            case _:
                return []
        assert exchange.match is not None
        if any(each.id == target.id for group in exchange.match.groups for each in group.targets):
            return []
        if exchange.preferences is not None:
            return [_CHOICE]
        return [Reason("access", "the key's list of models does not grant this fallback")]

    def _ill(self, target: ResolvedTarget, now: float) -> list[Reason]:
        provider = self._table.settings.providers[target.provider]
        if self._health.admits(target, provider, now):
            return []
        wait_s = self._health.recovers_at(target, provider) - now
        state = next((each.state for each in self._health.snapshot(now) if each.id == target.id), "closed")
        words = "its keys rest, or it was asked to be spared" if state == "closed" else f"its circuit is {state}"
        again = f"; asked again in {wait_s:.0f} s" if wait_s > 0 else "; one request at a time probes it"
        return [Reason("breaker", words.replace("_", " ") + again)]


_CHOICE: Final = Reason("choice", "the request asks for others")
_NOBODY: Final = "the first that recovers, if one is only unwell; else an error: nobody can serve this request now"


class _NoReply:
    """As exchange.Reply: nothing is answered here."""

    started = False
    committed = False
    stalled = False

    def hold(self, seconds: float) -> None:
        pass

    async def answer(self, body: bytes) -> None:
        pass

    async def send(self, data: bytes) -> None:
        pass

    def send_now(self, data: bytes) -> bool:
        return True

    async def room(self) -> None:
        pass


def _asked_after(request: RequestHead) -> tuple[str, ...]:
    """The models that the request names after its own."""
    try:
        wishes = read_preferences(request.member("models"), None)
    except InvalidRequest:
        return ()  # Transform refuses the request
    return tuple(model for model in wishes.models if model != request.model) if wishes is not None else ()


def _named(body: bytes, model: str) -> bytes:
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body  # the dialect says what is wrong with it
    return orjson.dumps({**members, "model": model}) if isinstance(members, dict) else body


def _written(request: RequestHead) -> bytes:
    return request.body_for(model=request.model, ask_usage=False)
