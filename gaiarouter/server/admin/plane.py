"""Serves operations: who is calling, may they, is what they sent in order; then the operation, then the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from gaiarouter.dialects.base import Dialect
from gaiarouter.errors import Forbidden, GatewayError, InternalError, NotFound, Unavailable
from gaiarouter.server.admin.access import Access, Actor, require
from gaiarouter.server.admin.check import Checked, InvalidFields, read_json, read_query
from gaiarouter.server.admin.operation import Call, Operation, Schema, Text
from gaiarouter.server.body import read_body
from gaiarouter.server.headers import plain_headers, request_id
from gaiarouter.server.reply import error_response
from gaiarouter.store.base import StorageUnavailable

_log = structlog.get_logger("gaiarouter.admin")

BODY_LIMIT: Final = 65_536
_RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Ready:
    operation: Operation
    body: Checked | None
    query: Checked


class ControlPlane:
    """dialect: in whose shape errors are answered. wall_us: microseconds since the epoch. on_end: told
    the id and the status of each request."""

    def __init__(
        self,
        operations: Sequence[Operation],
        access: Access,
        dialect: Dialect,
        *,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        on_end: Callable[[str, int], None] = lambda operation, status: None,
    ) -> None:
        self.operations: Final = tuple(operations)
        self._ready = {operation.id: _ready(operation) for operation in operations}
        self._access = access
        self._dialect = dialect
        self._wall_us = wall_us
        self._on_end = on_end

    def add_routes(self, router: web.UrlDispatcher, *, expect_handler: Callable[[web.Request], Any]) -> None:
        for operation in self.operations:
            handler = self._handler(self._ready[operation.id])
            router.add_route(operation.method, operation.path, handler, expect_handler=expect_handler)

    def _handler(self, ready: _Ready) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            made = request_id(request.headers)
            response, actor, code = await self._answer(ready, request, made)
            self._on_end(ready.operation.id, response.status)
            _log.info(
                "control.end",
                request_id=made,
                operation=ready.operation.id,
                actor=actor and actor.id,
                source=self._access.source(request),
                status=response.status,
                code=code,
            )
            return response

        return handle

    async def _answer(
        self, ready: _Ready, request: web.Request, made: str
    ) -> tuple[web.Response, Actor | None, str | None]:
        actor = None
        try:
            actor = await self._access.actor(request)
            require(actor, ready.operation.permission)
            call = await self._checked(ready, request, actor, made)
            answer = await _outcome(ready.operation, call)
            return _good(ready.operation, answer, made), actor, "ok"
        except GatewayError as error:
            if actor is not None and isinstance(error, Forbidden):
                self._access.refused(actor)
            return self._bad(error, made), actor, error.code
        except Exception:  # noqa: BLE001  # the outermost handler: a bug of ours must still be answered
            _log.exception("control.bug", request_id=made, operation=ready.operation.id)
            bug = InternalError("The gateway made a mistake; its log has the details.")
            return self._bad(bug, made), actor, bug.code

    def _bad(self, error: GatewayError, made: str) -> web.Response:
        response = error_response(error, self._dialect, {"x-request-id": made})
        if isinstance(error, InvalidFields):
            assert isinstance(response.body, bytes)
            body = orjson.loads(response.body)
            body["error"]["details"] = [{"param": path, "message": what} for path, what in error.details]
            response.body = orjson.dumps(body)
        return response

    async def _checked(self, ready: _Ready, request: web.Request, actor: Actor, made: str) -> Call:
        query = read_query(request.query.items(), ready.operation.query)
        ready.query.check(query)
        body: Any = {}
        if ready.body is not None and (request.body_exists or ready.operation.body_is_required):
            body = read_json(await read_body(request, BODY_LIMIT))
            ready.body.check(body)
        return Call(actor, self._wall_us(), made, dict(request.match_info), query, body)


async def perform(operation: Operation, call: Call) -> Any:
    """An operation without HTTP, for the command line; the actor has what it needs. Raises GatewayError."""
    ready = _ready(operation)
    ready.query.check(call.query)
    if ready.body is not None:
        ready.body.check(call.body)
    return await _outcome(operation, call)


def nothing_here(what: str) -> NotFound:
    """One answer for what does not exist and what is another tenant's."""
    return NotFound(f"There is no such {what}.")


def _ready(operation: Operation) -> _Ready:
    parameters: Schema = {"type": "object", "properties": operation.query, "additionalProperties": False}
    return _Ready(operation, None if operation.body is None else Checked(operation.body), Checked(parameters))


async def _outcome(operation: Operation, call: Call) -> Any:
    try:
        return await operation.handle(call)
    except StorageUnavailable as error:
        raise Unavailable(
            "The gateway's database is not answering; nothing was changed, or the whole change was.",
            code="storage_unavailable",
            retry_after_s=_RETRY_S,
        ) from error


def _good(operation: Operation, answer: Any, made: str) -> web.Response:
    if isinstance(answer, Text):
        headers = plain_headers(made) | {"Content-Type": answer.content_type}
        return web.Response(status=operation.status, body=answer.body, headers=headers)
    return web.Response(
        status=operation.status,
        body=orjson.dumps(answer),
        headers=plain_headers(made),
        content_type="application/json",
    )
