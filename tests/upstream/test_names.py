"""Names are asked for once, kept for a while, and their addresses tried one beside the other."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gaiarouter.upstream.destination import Origin
from gaiarouter.upstream.http1.connections import Connections
from gaiarouter.upstream.names import Names
from tests.support.upstream import ScriptedUpstream
from tests.upstream.conftest import within


class Told(AbstractResolver):
    """Answers with the addresses it was given for a name, and notes who asked."""

    def __init__(self, **names: list[str]) -> None:
        self.names = names
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.go.set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        await self.go.wait()
        if not self.names.get(host):
            raise OSError("unknown")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=0,
            )
            for address in self.names[host]
        ]

    async def close(self) -> None:
        pass


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def hosts(names: Names, host: str) -> list[str]:
    return [str(address[4][0]) for address in await names.addresses(host, 443)]


async def test_a_name_is_kept_for_half_a_minute_and_then_asked_again() -> None:
    resolver, clock = Told(api=["10.0.0.1"]), Clock()
    names = Names(resolver, clock)
    for _ in range(3):
        assert await hosts(names, "api") == ["10.0.0.1"]
    assert resolver.asked == ["api"]
    resolver.names["api"] = ["10.0.0.2"]
    clock.now += 30.1
    assert await hosts(names, "api") == ["10.0.0.2"]


async def test_a_name_that_leads_nowhere_is_asked_again_after_a_second() -> None:
    resolver, clock = Told(), Clock()
    names = Names(resolver, clock)
    for _ in range(3):
        with pytest.raises(OSError, match="nowhere"):
            await names.addresses("gone", 443)
    assert resolver.asked == ["gone"]
    resolver.names["gone"] = ["10.0.0.3"]
    clock.now += 1.1
    assert await hosts(names, "gone") == ["10.0.0.3"]


async def test_all_who_want_a_name_at_once_share_one_question_and_may_leave() -> None:
    resolver = Told(api=["10.0.0.1"])
    resolver.go.clear()
    names = Names(resolver)
    asking = [asyncio.create_task(hosts(names, "api")) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    resolver.go.set()
    assert await asyncio.gather(*asking[1:]) == [["10.0.0.1"]] * 4
    assert resolver.asked == ["api"]


async def test_the_cache_is_bounded() -> None:
    names = Names(Told(**{f"h{number}": ["10.0.0.1"] for number in range(3000)}))
    for number in range(3000):
        await names.addresses(f"h{number}", 443)
    assert len(names._known) <= 1024


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_asked_of_nobody(address: str) -> None:
    resolver = Told()
    assert await hosts(Names(resolver), address) == [address]
    assert resolver.asked == []


async def test_a_host_of_several_addresses_is_reached_at_the_one_that_answers() -> None:
    async with ScriptedUpstream() as upstream:
        connections = Connections(Names(Told(many=["127.0.0.2", "::1", "127.0.0.1"])), None)
        wire = await connections.open(Origin(False, "many", upstream.port), within())
        assert wire.is_clean()
        await connections.close()
        await upstream.client_gone(0)
