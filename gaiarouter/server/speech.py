"""Which dialect a caller is answered in where the path alone does not say: lists of models, and what is no route."""

from __future__ import annotations

from aiohttp import web


def spoken_in(request: web.Request) -> str:
    """A dialect's name, by the path, else by the header that only Anthropic's clients send."""
    path = request.path
    if path.startswith("/v1beta/"):
        return "gemini"
    if path.startswith("/v1/messages") or "anthropic-version" in request.headers:
        return "messages"
    return "chat"
