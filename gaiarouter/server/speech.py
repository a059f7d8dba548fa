"""Which dialect a caller is answered in where the path alone does not say: lists of models, and what is no route."""

from __future__ import annotations

from aiohttp import web


def spoken_in(request: web.Request) -> str:
    """A dialect's name, by the path, else by the headers that only one vendor's clients send."""
    path, headers = request.path, request.headers
    if path.startswith("/v1beta/") or "x-goog-api-key" in headers:
        return "gemini"
    if path.startswith("/v1/messages") or "anthropic-version" in headers or "x-api-key" in headers:
        return "messages"
    return "chat"
