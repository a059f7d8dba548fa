"""One request to a provider: the endpoint with its model, credential and body filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from gaiarouter.config.settings import ProviderKey
from gaiarouter.dialects.base import Pieces
from gaiarouter.errors import NotFound
from gaiarouter.providers.base import Endpoint, UpstreamRequest

_NONE: Mapping[str, str] = MappingProxyType({})
_NOT_IN_A_PATH = frozenset("/?#\\")
_AS_IT_IS = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*").fullmatch
"""A name that stands in a path by itself."""


def request_for(
    endpoint: Endpoint,
    *,
    key: ProviderKey | None,
    model: str,
    body: bytes | Pieces,
    request_id: str,
    stream: bool = False,
    headers: Mapping[str, str] = _NONE,
) -> UpstreamRequest:
    """key: None sends no credential. model: its name at the provider; `body` names it too. headers: those of the body's
    dialect. Raises NotFound for a name that cannot stand in the path of a provider that takes it there."""
    if endpoint.reshape is not None and isinstance(body, bytes):
        body, headers = endpoint.reshape(body, headers)
    headers = {**endpoint.headers, **headers, "x-request-id": request_id}
    if key is not None:
        match endpoint.auth:
            case "bearer":
                headers["authorization"] = f"Bearer {key.secret.reveal()}"
            case "api-key" | "x-api-key" | "x-goog-api-key":
                headers[endpoint.auth] = key.secret.reveal()
            case "none":
                pass
    url = endpoint.stream_url if stream and endpoint.stream_url is not None else endpoint.url
    if isinstance(body, bytes):
        return UpstreamRequest(_url(url, model), headers, body, method=endpoint.method)
    return UpstreamRequest(_url(url, model), headers, body.pieces(), body.length)


def _url(template: str, model: str) -> str:
    if "{model}" not in template:
        return template
    if _AS_IT_IS(model):
        return template.replace("{model}", model)
    if model in ("", ".", "..") or not model.isprintable() or not _NOT_IN_A_PATH.isdisjoint(model):
        raise NotFound("This model's provider takes its name in a path, where this name cannot stand.")
    return template.replace("{model}", quote(model, safe=""))
