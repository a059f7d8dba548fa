"""Paths that name the model and what is asked of it, `models/{model}:{method}`, as Google's clients call them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from gaiarouter.dialects.base import Dialect, Envelope
from gaiarouter.errors import NotFound
from gaiarouter.server.handler import DataPlane
from gaiarouter.server.reply import error_response


class ModelPaths:
    def __init__(self, data_plane: DataPlane, dialects: Mapping[str, Dialect]) -> None:
        self._data_plane = data_plane
        self._dialects = dialects

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Split at the last colon: names of models hold colons and slashes."""
        model, _, method = request.match_info["call"].rpartition(":")
        match method:
            case "generateContent":
                dialect, stream = self._dialects["gemini"], False
            case "streamGenerateContent":
                framed = "gemini" if request.query.get("alt") == "sse" else "gemini-array"
                dialect, stream = self._dialects[framed], True
            case _:
                error = NotFound("There is no such method of a model on this gateway.")
                return error_response(error, self._dialects["gemini"], request.headers)
        envelope = Envelope(model=model, stream=stream, headers=request.headers)
        return await self._data_plane.serve(request, dialect, envelope, key_in_query=True)
