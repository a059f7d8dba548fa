"""The clients that speak HTTP to providers, by the name that the configuration gives them. One is used at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gaiarouter.config.settings import Client
from gaiarouter.upstream.aiohttp_client.client import AiohttpUpstream
from gaiarouter.upstream.http1.client import Http1Upstream

CLIENTS: Final[Mapping[Client, type[Http1Upstream | AiohttpUpstream]]] = {
    "own": Http1Upstream,
    "aiohttp": AiohttpUpstream,
}
