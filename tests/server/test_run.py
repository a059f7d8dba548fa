"""A process's end: running requests finish, those that cannot are told, and it exits with 0."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of, completion
from tests.gateway.running import ANSWER
from tests.server.process import EXIT_S, Served, served
from tests.support.script import SSE_HEAD, Hang, Send, Step, Until, chunk, json_answer, sse
from tests.support.upstream import BOUND_S, ScriptedUpstream

SAID = Send(SSE_HEAD + chunk(ROLE + sse(chunk_of(ANSWER))))
PATIENT = {"timeouts": {"connect": "9s", "first_byte": "60s", "idle": "60s", "total": "90s"}}


async def begun(gateway: Served) -> aiohttp.ClientResponse:
    """A stream of which the caller has seen some."""
    response = await gateway.chat("alone", stream=True)
    await response.content.readuntil(ANSWER.encode())
    return response


def outcomes(folder: Path) -> list[tuple[int, str, str | None]]:
    with sqlite3.connect(folder / "gaia.db") as database:
        rows = database.execute("SELECT status, outcome, error FROM usage_records ORDER BY id").fetchall()
    database.close()
    return rows


async def test_n3_running_streams_end_whole_and_the_exit_is_0(tmp_path: Path) -> None:
    go = asyncio.Event()
    script: list[Step] = [SAID, Until(go), Send(chunk(FINISH + DONE) + b"0\r\n\r\n")]
    async with (
        ScriptedUpstream(script) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT) as gateway,
    ):
        streams = [await begun(gateway) for _ in range(20)]
        gateway.signal()
        await until_it_drains(gateway)
        go.set()
        for stream in streams:
            assert (await stream.read()).endswith(DONE)
        assert await gateway.exit(within_s=EXIT_S) == 0
    assert outcomes(tmp_path) == [(200, "ok", None)] * 20


async def until_it_drains(gateway: Served) -> None:
    """Returns when nobody listens any more."""
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            except ConnectionError:
                return
            writer.close()


async def test_p1_what_outlasts_the_drain_is_told_so(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream([SAID, Hang()], [Hang()]) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT, server={"drain": "300ms"}) as gateway,
    ):
        stream = await begun(gateway)
        whole = asyncio.create_task(gateway.chat("alone"))
        await upstream.until(lambda: len(upstream.requests) == 2)
        began = gateway.signal()
        last = (await stream.read()).split(b"\n\n")[-2]
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "draining"
        answer = await whole
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "draining")
        assert answer.headers["retry-after"] == "1"
        assert await gateway.exit(within_s=EXIT_S) == 0
        assert asyncio.get_running_loop().time() - began < 0.3 + EXIT_S
    assert outcomes(tmp_path) == [(200, "interrupted", "draining"), (503, "error", "draining")]


async def test_n3_a_caller_that_does_not_read_cannot_hold_up_the_end(tmp_path: Path) -> None:
    endless = [SAID, Send(chunk(sse(chunk_of("x" * 16_000))), times=None)]
    async with (
        ScriptedUpstream(endless) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT, server={"drain": "200ms"}) as gateway,
    ):
        stream = await begun(gateway)
        gateway.signal()
        assert await gateway.exit(within_s=EXIT_S) == 0
        stream.close()
    assert [row[1] for row in outcomes(tmp_path)] == ["interrupted"]


async def test_n3_a_whole_answer_is_read_at_leisure_within_the_drain_and_not_after(tmp_path: Path) -> None:
    """Larger than what the kernel holds: the answer is complete when it has been read, not when it has been made."""
    size = 24_000_000
    async with (
        ScriptedUpstream(json_answer(completion("x" * size))) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT, server={"drain": "5s"}) as gateway,
    ):
        slow, stalled = await gateway.chat("alone"), await gateway.chat("alone")
        began = gateway.signal()
        await until_it_drains(gateway)
        await asyncio.sleep(2.2)  # the caller's own pace, longer than what is allowed for once the drain is over
        assert len(await slow.read()) > size
        assert gateway.process.returncode is None
        assert await gateway.exit(within_s=EXIT_S) == 0
        assert asyncio.get_running_loop().time() - began < 5 + EXIT_S
        stalled.close()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_p3_a_second_signal_ends_it_at_once(tmp_path: Path, second: int) -> None:
    async with (
        ScriptedUpstream([SAID, Hang()]) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT, server={"drain": "60s"}) as gateway,
    ):
        stream = await begun(gateway)
        gateway.signal()
        await until_it_drains(gateway)
        gateway.signal(second)
        assert b'"draining"' in await stream.read()
        assert await gateway.exit(within_s=EXIT_S) == 0
    assert outcomes(tmp_path) == [(200, "interrupted", "draining")]


async def test_p1_it_is_not_ready_at_once_and_accepts_for_a_while(tmp_path: Path) -> None:
    """What a load balancer sees: not ready, each answer the last of its connection, and only then nobody there."""
    go = asyncio.Event()
    script: list[Step] = [SAID, Until(go), Send(chunk(FINISH + DONE) + b"0\r\n\r\n")]
    async with (
        ScriptedUpstream(script) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT, server={"drain_delay": "3s"}) as gateway,
        aiohttp.ClientSession() as probe,
    ):
        ready = await probe.get(gateway.url("/health/ready"))
        assert ((await ready.json())["status"], "connection" in ready.headers) == ("ok", False)
        stream = await begun(gateway)
        began = gateway.signal()
        async with asyncio.timeout(BOUND_S):
            while (ready := await probe.get(gateway.url("/health/ready"))).status == 200:
                ready.release()
        assert (ready.status, (await ready.json())["status"]) == (503, "draining")
        assert asyncio.get_running_loop().time() - began < 2.5, "long before it goes"
        assert ready.headers["connection"] == "close"
        assert (await probe.get(gateway.url("/health/live"))).status == 200
        late = await gateway.chat("demo", stream=True)
        assert (late.status, late.headers["connection"]) == (200, "close")
        assert (await late.read()).endswith(DONE)
        go.set()
        assert (await stream.read()).endswith(DONE)
        await until_it_drains(gateway)
        assert asyncio.get_running_loop().time() - began > 2.9
        assert await gateway.exit(within_s=EXIT_S) == 0


async def test_p2_idle_connections_do_not_hold_it(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as gateway, aiohttp.ClientSession() as idle:
        assert (await (await idle.get(gateway.url("/health/ready"))).json())["status"] == "ok"
        gateway.signal()
        assert await gateway.exit(within_s=EXIT_S) == 0


async def test_p3_a_second_signal_ends_the_delay_too(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream([SAID, Hang()]) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT, server={"drain_delay": "60s"}) as gateway,
    ):
        stream = await begun(gateway)
        gateway.signal()
        gateway.signal(signal.SIGINT)
        assert b'"draining"' in await stream.read()
        assert await gateway.exit(within_s=EXIT_S) == 0


async def test_p1_200_streams_end_whole(tmp_path: Path) -> None:
    go = asyncio.Event()
    script: list[Step] = [SAID, Until(go), Send(chunk(FINISH + DONE) + b"0\r\n\r\n")]
    async with (
        ScriptedUpstream(script) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, defaults=PATIENT) as gateway,
    ):
        streams = await asyncio.gather(*(gateway.chat("alone", stream=True) for _ in range(200)))
        gateway.signal()
        await until_it_drains(gateway)
        go.set()
        whole = ROLE + sse(chunk_of(ANSWER)) + FINISH + DONE
        assert await asyncio.gather(*(stream.read() for stream in streams)) == [whole] * 200
        assert await gateway.exit(within_s=EXIT_S) == 0
    assert outcomes(tmp_path) == [(200, "ok", None)] * 200
