"""A request's span begins with what HTTP says of it: never its query, which may hold a key."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gaiarouter.pipeline.tracing import Spans, Trace

_CONTEXT: Final = ("traceparent", "tracestate")


def begun(spans: Spans, request: web.Request) -> Trace:
    resource = request.match_info.route.resource
    route = request.path if resource is None else resource.canonical
    about = {
        "http.request.method": request.method,
        "http.route": route,
        "url.path": request.path,
        "url.scheme": request.scheme,
    }
    context = {name: request.headers.getall(name, []) for name in _CONTEXT}
    return Trace(spans.begin(f"{request.method} {route}", about, context))
