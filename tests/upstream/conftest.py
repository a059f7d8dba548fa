"""A client with short time-outs, closed at the end of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from gaiarouter.upstream.aiohttp_client.client import AiohttpUpstream
from gaiarouter.upstream.base import AttemptTimeouts, UpstreamRequest
from gaiarouter.upstream.clients import CLIENTS
from gaiarouter.upstream.http1.client import Http1Upstream
from tests.support import tls


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both loops: the gateway takes uvloop where there is one, and they differ at the edges."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


Client = Http1Upstream | AiohttpUpstream

LONG_S = 10.0
"""Longer than anything takes here on a busy machine, and shorter than the limits that a test does not name."""


@pytest.fixture(params=CLIENTS.values(), ids=CLIENTS)
def kind(request: pytest.FixtureRequest) -> type[Client]:
    """Both clients are right about the same faults."""
    made: type[Client] = request.param
    return made


@pytest.fixture
async def client(kind: type[Client]) -> AsyncIterator[Client]:
    made = kind(tls=tls.client(), on_stale_retry=None)
    yield made
    await made.close()


def post(url: str, body: bytes = b"{}", **headers: str) -> UpstreamRequest:
    return UpstreamRequest(url, headers, body)


def within(
    *, connect_s: float = 30.0, first_byte_s: float = 30.0, idle_s: float = 30.0, total_s: float = 30.0
) -> AttemptTimeouts:
    """Limits that a test does not name are never reached in it."""
    return AttemptTimeouts(connect_s, first_byte_s, idle_s, asyncio.get_running_loop().time() + total_s)
