"""P7, P8, P11: no descriptors left, no memory left, nobody reads the log. The gateway itself runs as a process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.gateway.faults import DONE, FINISH, USAGE_EVENT, chunk_of, healthy
from tests.gateway.running import ANSWER
from tests.server.process import Served, served
from tests.support.script import LAST_CHUNK, SSE_HEAD, Script, Send, Until, chunk, sse
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream

FEW = ("sh", "-c", 'ulimit -n 160 && exec "$@"', "sh")
KEPT = 32
"""Of 160 descriptors those that are never given to callers."""


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def asked(pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> tuple[int, bytes]:
    """The status of a small request on this connection, 0 if it was closed instead, and all that came."""
    reader, writer = pair
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    try:
        answer = await asyncio.wait_for(reader.read(), BOUND_S)
    except ConnectionError:
        return 0, b""
    return (int(answer.split(b" ", 2)[1]) if answer else 0), answer


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def processor_s_in_a_second(gateway: Served) -> float:
    before = processor_s(gateway.process.pid)
    await asyncio.sleep(1.0)  # what it does with nothing to do is what is measured
    return processor_s(gateway.process.pid) - before


async def metric(gateway: Served, name: str, labels: str = "") -> float:
    async with gateway.session.get(gateway.url("/metrics")) as response:
        for line in (await response.text()).splitlines():
            if line.startswith(f"gaiarouter_{name}{labels} "):
                return float(line.rpartition(" ")[2])
    return 0.0


async def test_p7_without_descriptors_new_connections_are_told_so_and_old_ones_go_on(tmp_path: Path) -> None:
    go = asyncio.Event()
    said = sse(chunk_of(ANSWER)) + FINISH + USAGE_EVENT + DONE  # nothing is left to estimate in the quiet second
    script = [Send(SSE_HEAD), Send(chunk(sse(chunk_of("first")))), Until(go), Send(chunk(said) + LAST_CHUNK)]

    def by_kind(request: Received) -> Script:
        return script if request.json().get("stream") else healthy(ANSWER)(request)

    async with (
        ScriptedUpstream(by_kind) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, wrapped_in=FEW) as gateway,
        AsyncExitStack() as crowd,
    ):
        stream = await gateway.chat("alone-x", stream=True)
        await stream.content.readuntil(b"first")
        taken = [await crowd.enter_async_context(connected(gateway.port)) for _ in range(240)]
        answers = [await asked(pair) for pair in taken[-20:]]
        assert {status for status, _ in answers} <= {0, 503}
        late = await asked(await crowd.enter_async_context(connected(gateway.port)))
        assert late[0] in (0, 503)
        told = [json.loads(answer.partition(b"\r\n\r\n")[2]) for status, answer in answers if status == 503]
        assert all(each["error"]["code"] == "overloaded" for each in told)
        assert (await asked(taken[0]))[0] == 200, "who came before is served"
        go.set()
        assert ANSWER.encode() in await stream.read()
        assert min([await processor_s_in_a_second(gateway) for _ in range(2)]) < 0.3, "what spins never rests"
        await crowd.aclose()
        async with asyncio.timeout(BOUND_S):
            while (await gateway.chat("alone-x")).status != 200:  # noqa: ASYNC110  # it closes what we have left
                await asyncio.sleep(0.02)
        assert await metric(gateway, "shed_total", '{reason="descriptors"}') >= 20
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


async def test_p7_who_is_let_in_finds_descriptors_for_the_provider(tmp_path: Path) -> None:
    """Callers have taken all that they can have: what is kept is enough for those who now ask."""
    async with (
        ScriptedUpstream(healthy(ANSWER)) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, wrapped_in=FEW) as gateway,
        AsyncExitStack() as crowd,
    ):
        early = [await gateway.chat("alone-x") for _ in range(2)]
        assert {response.status for response in early} == {200}
        taken = [await crowd.enter_async_context(connected(gateway.port)) for _ in range(160)]
        body = json.dumps({"model": "alone-x", "messages": [{"role": "user", "content": "x"}]}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
        request = head.encode() + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        for _, writer in taken[:8]:
            writer.write(request)
        answers = [await asyncio.wait_for(reader.read(), BOUND_S) for reader, _ in taken[:8]]
        assert {answer.split(b" ", 2)[1] for answer in answers} == {b"200"}


async def test_p8_short_of_memory_one_request_at_a_time_is_taken(tmp_path: Path) -> None:
    go = asyncio.Event()
    script = [Send(SSE_HEAD), Send(chunk(sse(chunk_of("first")))), Until(go), Send(LAST_CHUNK)]
    async with (
        ScriptedUpstream(script) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, server={"memory_limit": "8MB"}) as gateway,
    ):
        async with asyncio.timeout(BOUND_S):
            while b"memory.short" not in (tmp_path / "log").read_bytes():  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)
        stream = await gateway.chat("alone-x", stream=True)
        await stream.content.readuntil(b"first")
        refused = await gateway.chat()
        assert (refused.status, (await refused.json())["error"]["code"]) == (503, "overloaded")
        assert await metric(gateway, "shed_total", '{reason="memory"}') == 1
        go.set()
        await stream.read()
        async with asyncio.timeout(BOUND_S):
            while (await gateway.chat()).status != 200:  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)


async def test_p11_standard_output_that_was_closed_before_the_start_stops_nothing(tmp_path: Path) -> None:
    """Nor does a socket of the gateway's take its place, and get the log's lines."""
    async with served(tmp_path, {}, wrapped_in=("/bin/sh", "-c", 'exec "$0" "$@" >&-')) as gateway:
        for _ in range(10):
            assert (await gateway.chat()).status == 200
        assert await metric(gateway, "log_lines_dropped_total") > 10
        assert os.readlink(f"/proc/{gateway.process.pid}/fd/1") == os.devnull


@pytest.mark.parametrize("kind", ["a pipe", "a socket"])
async def test_p11_a_log_that_nobody_reads_stops_nothing(tmp_path: Path, kind: str) -> None:
    if kind == "a pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())
    try:
        async with served(tmp_path, {}, stdout=writing) as gateway:
            os.close(writing)
            for _ in range(40):
                answers = await asyncio.gather(*[gateway.chat() for _ in range(32)])
                assert {answer.status for answer in answers} == {200}
            assert await metric(gateway, "log_lines_dropped_total") > 0
    finally:
        os.close(reading)
