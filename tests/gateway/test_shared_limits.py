"""Two gateways that share their limits: what passes is counted over both."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from gaiarouter.config.settings import Limits, Rate
from tests.gateway.running import Starter, assert_error
from tests.limits.valkey_server import ValkeyServer
from tests.support.servers import running

PATIENT = "socket_timeout=30&socket_connect_timeout=30"


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with running(ValkeyServer()) as server:
        yield server


async def test_exactly_a_hundred_of_two_hundred_requests_pass(start: Starter, valkey: ValkeyServer) -> None:
    limits = {"requests": "100/day", "tokens": "unlimited", "concurrent": "unlimited"}
    options = {"redis": f"{valkey.url}?{PATIENT}", "limits": limits, "auth": {"required": False}}
    gateways = [await start({}, **options), await start({}, **options)]
    bare = {"authorization": ""}
    replies = await asyncio.gather(*(gateways[number % 2].chat("demo", headers=bare) for number in range(200)))
    assert Counter(reply.status for reply in replies) == {200: 100, 429: 100}
    refused = next(reply for reply in replies if reply.status == 429)
    assert_error(refused, 429, "rate_limit_exceeded")
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert [gateway.metric("limits_alone_total") for gateway in gateways] == [0, 0]


async def test_without_its_server_a_gateway_serves_by_its_own_limits(start: Starter, valkey: ValkeyServer) -> None:
    gateway = await start({}, redis=valkey.url)
    key = await gateway.mint(limits=Limits(requests=Rate(3, 86_400.0), tokens=None, concurrent=None))
    valkey.stop()
    headers = {"authorization": f"Bearer {key}"}
    statuses = [(await gateway.chat("demo", headers=headers)).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert gateway.metric("limits_alone_total") >= 1
