"""Paths that name the model and what is asked of it, `models/{model}:{method}`, as Google's clients call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from gaiarouter.dialects.base import Dialect, Envelope
from gaiarouter.errors import NotFound
from gaiarouter.server.framing import Framing
from gaiarouter.server.handler import DataPlane
from gaiarouter.server.reply import error_response

_STREAMS: Final = "streamGenerateContent"


class ModelPaths:
    """methods: what may be asked of a model, and the dialect it is asked in. array: frames a stream for a caller who
    did not ask for events."""

    def __init__(
        self, data_plane: DataPlane, dialect: Dialect, methods: Mapping[str, Dialect], array: Callable[[], Framing]
    ) -> None:
        self._data_plane = data_plane
        self._dialect = dialect
        self._methods = methods
        self._array = array

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Split at the last colon: names of models hold colons and slashes."""
        model, _, method = request.match_info["call"].rpartition(":")
        dialect = self._methods.get(method)
        if dialect is None:
            error = NotFound("There is no such method of a model on this gateway.")
            return error_response(error, self._dialect, request.headers)
        stream = method == _STREAMS
        envelope = Envelope(model=model, stream=stream, headers=request.headers)
        framing = self._array() if stream and request.query.get("alt") != "sse" else None
        return await self._data_plane.serve(
            request, dialect=dialect, envelope=envelope, key_in_query=True, framing=framing
        )
