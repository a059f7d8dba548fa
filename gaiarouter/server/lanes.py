"""Finds the handler of a path that has no variable part, without aiohttp's dispatcher: what that makes for every
request is made once here. All other requests go its way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_urldispatcher import PlainResource, UrlMappingMatchInfo

RequestHandlerFunction = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Lanes:
    """For an application without middlewares, whose routes are all added."""

    def __init__(self, app: web.Application) -> None:
        self._otherwise = app._handle
        self._matches = {
            (route.method, resource.canonical): _match(route, app)
            for resource in app.router.resources()
            if isinstance(resource, PlainResource)
            for route in resource
        }

    def handle(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        assert isinstance(request, web.Request)
        match = self._matches.get((request.method, request.raw_path))
        if match is None or "Expect" in request.headers:
            return self._otherwise(request)
        request._match_info = match
        return match.handler(request)


def _match(route: web.AbstractRoute, app: web.Application) -> UrlMappingMatchInfo:
    match = UrlMappingMatchInfo({}, route)
    match.add_app(app)
    match.freeze()
    return match
