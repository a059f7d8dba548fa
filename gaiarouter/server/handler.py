"""The data plane's one handler: makes the Exchange, runs the pipeline, answers errors in the caller's dialect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from aiohttp import web

from gaiarouter.config.settings import Settings
from gaiarouter.dialects.base import Dialect, Envelope, ListedModel
from gaiarouter.errors import GatewayError, InternalError, Unavailable
from gaiarouter.pipeline.admission import Gate
from gaiarouter.pipeline.auth import Auth
from gaiarouter.pipeline.exchange import Exchange
from gaiarouter.pipeline.explaining import Question
from gaiarouter.pipeline.runner import Stages, run
from gaiarouter.pipeline.tracing import Spans
from gaiarouter.routing.explain import Explanation
from gaiarouter.server.body import read_body
from gaiarouter.server.credentials import credentials
from gaiarouter.server.form import FormBody
from gaiarouter.server.framing import Framing
from gaiarouter.server.headers import request_id
from gaiarouter.server.reply import HttpReply
from gaiarouter.server.request_ids import RequestIds
from gaiarouter.server.source import source_of
from gaiarouter.server.tracing import begun
from gaiarouter.server.turns import head_of
from gaiarouter.telemetry import Metrics

_log = structlog.get_logger("gaiarouter.server")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Service:
    """What one configuration serves with. A reload makes another; requests keep the one they began with.

    models: for lists, in order. allows: whether a key's globs take a name. addresses: of all providers, where its
    requests go. explain: why one would go where it would go. spans: where traces are made; None makes none.
    """

    settings: Settings
    stages: Stages
    auth: Auth
    models: Sequence[ListedModel]
    allows: Callable[[tuple[str, ...], str], bool]
    explain: Callable[[Question], Awaitable[Explanation]]
    addresses: frozenset[str]
    spans: Spans | None = None


class _Leaving:
    """The requests that still run on an older configuration, by their ids."""

    def __init__(self, running: set[str]) -> None:
        self._running = running
        self.over = asyncio.Event()
        self._look()

    def ended(self, request: str) -> None:
        self._running.discard(request)
        self._look()

    def _look(self) -> None:
        if not self._running:
            self.over.set()


class DataPlane:
    """service: read once a request, so that a reload changes none that is running. gate: whose slots are given back
    here, when the last byte is written."""

    def __init__(self, service: Callable[[], Service], metrics: Metrics, gate: Gate) -> None:
        self._service = service
        self._gate = gate
        self._in_flight = metrics.in_flight
        self._ids = RequestIds()
        self._running: dict[asyncio.Task[object], tuple[Exchange, Service]] = {}
        self._leaving: list[_Leaving] = []
        self._idle: asyncio.Event | None = None
        """Only where somebody waits for it."""

    def handler(self, dialect: Dialect, *, takes_form: bool = False) -> Handler:
        async def handle_form(request: web.Request) -> web.StreamResponse:
            form = FormBody(request, self._service().settings.server.body_limit)
            try:
                return await self.serve(request, dialect=dialect, form=form)
            finally:
                form.close()

        return handle_form if takes_form else partial(self.serve, dialect=dialect)

    @property
    def running(self) -> int:
        return len(self._running)

    async def until_idle(self) -> None:
        if self._running:
            self._idle = self._idle or asyncio.Event()
            await self._idle.wait()

    async def until_left(self, service: Service) -> None:
        """Returns when no request runs that began with `service`, which new ones no longer do."""
        leaving = _Leaving({exchange.id for exchange, begun in self._running.values() if begun is service})
        self._leaving.append(leaving)
        try:
            await leaving.over.wait()
        finally:
            self._leaving.remove(leaving)

    def cut_short(self) -> None:
        """Ends every running request with `draining`: what has begun ends with an error event."""
        for task, (exchange, _) in self._running.items():
            exchange.cut_short = Unavailable("The gateway is shutting down.", code="draining", retry_after_s=1)
            task.cancel()

    async def serve(
        self,
        request: web.Request,
        *,
        dialect: Dialect,
        envelope: Envelope | None = None,
        key_in_query: bool = False,
        framing: Framing | None = None,
        form: FormBody | None = None,
    ) -> web.StreamResponse:
        """envelope: what the path says besides the body. framing: of a stream whose events do not go out as they are.
        form: the body, where it is one."""
        service = self._service()
        task = asyncio.current_task()
        assert task is not None
        reply = HttpReply(request, time.monotonic, framing)
        exchange = Exchange(
            id=self._ids.record(),
            request_id=request_id(request.headers, self._ids.request),
            dialect=dialect,
            credentials=_credentials(request, in_query=key_in_query),
            receive=partial(read_body, request, service.settings.server.body_limit) if form is None else form.fields,
            reply=reply,
            received_s=time.monotonic(),
            received_us=time.time_ns() // 1000,
            envelope=Envelope(headers=request.headers) if envelope is None else envelope,
            form=form,
            source=partial(source_of, request, service.settings.server),
            trace=None if service.spans is None else begun(service.spans, request),
        )
        reply.attach(exchange)
        self._running[task] = (exchange, service)
        self._in_flight.inc()
        try:
            await self._answer(service.stages, exchange, reply)
            await reply.written()
        finally:
            self._ended(task, exchange)
            reply.detach()
        assert reply.response is not None
        return reply.response

    def _ended(self, task: asyncio.Task[object], exchange: Exchange) -> None:
        if exchange.admitted:
            self._gate.leave()
        self._in_flight.dec()
        del self._running[task]
        if self._idle is not None and not self._running:
            self._idle.set()
            self._idle = None
        for leaving in self._leaving:
            leaving.ended(exchange.id)

    async def _answer(self, stages: Stages, exchange: Exchange, reply: HttpReply) -> None:
        try:
            await run(stages, exchange)
        except GatewayError as error:
            await reply.fail(error)
        except Exception:  # noqa: BLE001  # the outermost handler: a bug of ours must still be answered
            _log.exception("request.bug", request_id=exchange.request_id)
            await reply.fail(InternalError("The gateway made a mistake; its log has the details."))


def _credentials(request: web.Request, *, in_query: bool) -> tuple[str, ...]:
    if in_query:
        return credentials(request.headers, from_query=request.query.get("key", ""))
    head = head_of(request)
    return credentials(request.headers) if head is None else head.credentials
