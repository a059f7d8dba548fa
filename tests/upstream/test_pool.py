"""Connections are kept, checked and given up (U9, U13, N13)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gaiarouter.errors import ProtocolBroken, Unreachable
from gaiarouter.upstream.names import Resolver, is_metadata_address
from tests.support import tls
from tests.support.script import (
    LAST_CHUNK,
    SSE_HEAD,
    Close,
    Hang,
    Reset,
    Script,
    Send,
    Until,
    answer,
    chunk,
    json_answer,
    sse,
)
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream
from tests.upstream.conftest import Client, post, within


class Stale:
    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def stale() -> Stale:
    return Stale()


@pytest.fixture
async def counted(kind: type[Client], stale: Stale) -> AsyncIterator[Client]:
    made = kind(on_stale_retry=stale)
    yield made
    await made.close()


async def ask(client: Client, url: str) -> bytes:
    return await (await client.send(post(url), within())).read()


def echo_path(request: Received) -> Script:
    return answer(request.path.encode())


async def test_a_connection_is_used_again_after_a_whole_answer(client: Client) -> None:
    async with ScriptedUpstream(echo_path) as upstream:
        assert [await ask(client, upstream.url(f"/{i}")) for i in range(5)] == [b"/0", b"/1", b"/2", b"/3", b"/4"]
        assert len(upstream.connections) == 1


async def test_a_connection_is_used_again_over_tls(client: Client) -> None:
    async with ScriptedUpstream(echo_path, tls=tls.server("trusted")) as upstream:
        assert [await ask(client, upstream.url(f"/{i}")) for i in range(3)] == [b"/0", b"/1", b"/2"]
        assert len(upstream.connections) == 1


async def test_an_answer_that_says_close_is_not_used_again(client: Client) -> None:
    async with ScriptedUpstream(json_answer({}, headers={"connection": "close"})) as upstream:
        await ask(client, upstream.url("/"))
        await upstream.client_gone(0)
        await ask(client, upstream.url("/"))
        assert len(upstream.connections) == 2


UNASKED = answer(b"somebody else's answer")


async def stock(upstream: ScriptedUpstream, quiet: asyncio.Event) -> list[bytes]:
    async with aiohttp.ClientSession() as session:
        got = []
        for i in range(2):
            async with session.post(upstream.url(f"/{i}")) as response:
                got.append(await response.read())
            quiet.set()
            await upstream.until(lambda: upstream.connections[0].sent > 100)
            await asyncio.sleep(0.02)  # for the unasked bytes to cross the loopback
        return got


async def ours(client: Client, upstream: ScriptedUpstream, quiet: asyncio.Event) -> list[bytes]:
    got = []
    for i in range(2):
        got.append(await ask(client, upstream.url(f"/{i}")))
        quiet.set()
        await upstream.until(lambda: upstream.connections[0].sent > 100)
        await asyncio.sleep(0.02)
    return got


async def test_u13_an_unasked_answer_never_reaches_the_next_request(client: Client) -> None:
    quiet = asyncio.Event()
    async with ScriptedUpstream(lambda request: [*echo_path(request), Until(quiet), *UNASKED]) as upstream:
        assert await ours(client, upstream, quiet) == [b"/0", b"/1"]
        assert len(upstream.connections) == 2
        await upstream.client_gone(0)


async def test_u13_the_stock_client_does_hand_it_on() -> None:
    """If this fails, aiohttp has mended it, and the pool of aiohttp_client may shrink."""
    quiet = asyncio.Event()
    async with ScriptedUpstream(lambda request: [*echo_path(request), Until(quiet), *UNASKED]) as upstream:
        assert await stock(upstream, quiet) == [b"/0", b"somebody else's answer"]


async def test_u13_an_answer_with_another_behind_it_is_read_and_the_connection_dropped(client: Client) -> None:
    def script(request: Received) -> Script:
        (first,) = echo_path(request)
        (second,) = UNASKED
        assert isinstance(first, Send)
        assert isinstance(second, Send)
        return [Send(first.data + second.data)]

    async with ScriptedUpstream(script) as upstream:
        assert [await ask(client, upstream.url(f"/{i}")) for i in range(3)] == [b"/0", b"/1", b"/2"]
        assert len(upstream.connections) == 3


async def test_u13_half_a_head_behind_an_answer_does_not_spoil_the_next(client: Client) -> None:
    rest = asyncio.Event()

    def script(request: Received) -> Script:
        (first,) = echo_path(request)
        assert isinstance(first, Send)
        if len(upstream.requests) > 1:
            return [first]
        return [Send(first.data + b"HTTP/1.1 20"), Until(rest), Send(b"0 OK\r\ncontent-length: 5\r\n\r\nwrong")]

    async with ScriptedUpstream(script) as upstream:
        assert await ask(client, upstream.url("/0")) == b"/0"
        rest.set()
        await upstream.until(lambda: upstream.connections[0].sent > 80)
        assert await ask(client, upstream.url("/1")) == b"/1"


@pytest.mark.parametrize("unasked", [b"HTTP/1.1 20", b"x", b"\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
async def test_u13_a_connection_that_speaks_while_it_is_idle_is_dropped_at_once(client: Client, unasked: bytes) -> None:
    go = asyncio.Event()

    def script(request: Received) -> Script:
        return [*echo_path(request), Until(go), Send(unasked)] if request.path == "/0" else echo_path(request)

    async with ScriptedUpstream(script) as upstream:
        assert await ask(client, upstream.url("/0")) == b"/0"
        go.set()
        await upstream.client_gone(0)
        assert await ask(client, upstream.url("/1")) == b"/1"


async def test_bytes_still_in_the_kernel_are_seen_before_a_connection_is_used(client: Client) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream(lambda request: [*echo_path(request), Until(go), *UNASKED]) as upstream:
        assert await ask(client, upstream.url("/0")) == b"/0"
        go.set()
        await upstream.until(lambda: upstream.connections[0].sent > 80)
        # the unasked answer has left; our loop has not had a turn to read it
        assert await ask(client, upstream.url("/1")) == b"/1"


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["FIN", "RST"])
async def test_u9_a_pooled_connection_that_dies_under_the_request_is_replaced_unseen(
    counted: Client, stale: Stale, end: Close | Reset
) -> None:
    def script(request: Received) -> Script:
        return [end] if len(upstream.requests) == 2 else echo_path(request)

    async with ScriptedUpstream(script) as upstream:
        assert [await ask(counted, upstream.url(f"/{i}")) for i in range(3)] == [b"/0", b"/1", b"/2"]
        assert [request.path for request in upstream.requests] == ["/0", "/1", "/1", "/2"]
        assert len(upstream.connections) == 2
        assert stale.count == 1


async def test_u9_the_replacement_is_not_replaced_again(counted: Client, stale: Stale) -> None:
    async with ScriptedUpstream(echo_path, [Reset()]) as upstream:
        await ask(counted, upstream.url("/"))
        with pytest.raises(ProtocolBroken) as caught:
            await ask(counted, upstream.url("/"))
        assert caught.value.outcome == "reset"
        assert len(upstream.requests) == 3
        assert stale.count == 1


async def test_a_pooled_connection_that_dies_after_the_first_byte_is_not_replaced(
    counted: Client, stale: Stale
) -> None:
    async with ScriptedUpstream(echo_path, [Send(b"HTTP/1.1 2"), Close()]) as upstream:
        await ask(counted, upstream.url("/"))
        with pytest.raises(ProtocolBroken):
            await ask(counted, upstream.url("/"))
        assert len(upstream.requests) == 2
        assert stale.count == 0


async def test_one_dead_connection_clears_the_pool_of_its_siblings(counted: Client, stale: Stale) -> None:
    def script(request: Received) -> Script:
        return [Close()] if request.path == "/die" and request.connection.number < 3 else echo_path(request)

    async with ScriptedUpstream(script) as upstream:
        responses = [await counted.send(post(upstream.url("/x")), within()) for _ in range(3)]
        for response in responses:
            await response.read()
        assert await ask(counted, upstream.url("/die")) == b"/die"
        for number in range(3):
            await upstream.client_gone(number)
        assert stale.count == 1


async def test_n13_a_provider_that_closes_after_each_answer_is_never_seen_to(counted: Client) -> None:
    async with ScriptedUpstream(lambda request: [*echo_path(request), Close()]) as upstream:
        assert [await ask(counted, upstream.url("/y")) for _ in range(200)] == [b"/y"] * 200


async def test_a_stream_that_is_drained_after_its_ending_is_pooled(client: Client) -> None:
    late = asyncio.Event()
    script: Script = [Send(SSE_HEAD + chunk(sse(b"[DONE]"))), Until(late), Send(LAST_CHUNK)]
    async with ScriptedUpstream(script) as upstream:
        for _ in range(2):
            late.clear()
            response = await client.send(post(upstream.url("/")), within())
            async for part in response.chunks():
                if b"[DONE]" in part:
                    break
            late.set()
            await response.drain()
            response.close()
        assert len(upstream.connections) == 1


async def test_a_stream_that_goes_on_after_its_ending_is_dropped(client: Client) -> None:
    async with ScriptedUpstream([Send(SSE_HEAD + chunk(sse(b"[DONE]"))), Hang()]) as upstream:
        response = await client.send(post(upstream.url("/")), within())
        async for _ in response.chunks():
            break
        async with asyncio.timeout(BOUND_S / 2):
            await response.drain()
        response.close()
        await upstream.client_gone(0)


async def test_closing_the_client_closes_idle_connections_and_running_ones(kind: type[Client]) -> None:
    client = kind()
    async with ScriptedUpstream(echo_path, [Send(SSE_HEAD), Hang()]) as upstream:
        await ask(client, upstream.url("/"))
        running = [await client.send(post(upstream.url("/")), within()) for _ in range(2)]
        await client.close()
        for connection in range(len(upstream.connections)):
            await upstream.client_gone(connection)
        for response in running:
            with pytest.raises(ProtocolBroken):
                await response.read()


@pytest.mark.parametrize(
    ("address", "is_metadata"),
    [
        ("169.254.169.254", True),
        ("169.254.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("fd00:ec2::254", True),
        ("fd00:ec2::253", False),
        ("169.253.255.255", False),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_s22_metadata_addresses_are_known(address: str, is_metadata: bool) -> None:
    assert is_metadata_address(address) is is_metadata


async def test_s22_a_name_that_leads_to_a_metadata_service_is_not_resolved() -> None:
    resolver = Resolver(asyncio.get_running_loop())
    with pytest.raises(OSError, match="no address"):
        await resolver.resolve("169.254.169.254", 80, socket.AF_INET)  # a name, as far as the resolver knows
    assert [found["host"] for found in await resolver.resolve("127.0.0.1", 80, socket.AF_INET)] == ["127.0.0.1"]
    await resolver.close()


async def test_a_name_is_resolved_and_reached(client: Client) -> None:
    async with ScriptedUpstream(echo_path) as upstream:
        assert await ask(client, f"http://localhost:{upstream.port}/z") == b"/z"
        assert upstream.requests[0].headers["host"] == f"localhost:{upstream.port}"


async def test_a_number_that_only_looks_like_a_name_is_not_an_address(client: Client) -> None:
    with pytest.raises(Unreachable):
        await ask(client, "http://2852039166/")  # 169.254.169.254 as one number
