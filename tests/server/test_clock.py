"""P5, N18: the wall clock is stepped by an hour while the gateway runs, and nothing is decided differently."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import chunk_of, healthy
from tests.gateway.running import ANSWER
from tests.server.process import Served, served
from tests.support.script import LAST_CHUNK, SSE_HEAD, Script, Send, Until, chunk, error_answer, sse
from tests.support.upstream import BOUND_S, Received, ScriptedUpstream

STEPPED = (sys.executable, str(Path(__file__).parent / "stepping_clock.py"))
LIMITS = {"requests": "8/day", "tokens": "unlimited", "concurrent": 64}


async def stepped(gateway: Served, number: int) -> None:
    """Returns when the process goes by the new time: its log says it."""
    before = await _hours_off(gateway)
    gateway.process.send_signal(number)
    async with asyncio.timeout(BOUND_S):
        while await _hours_off(gateway) == before:
            pass


async def _hours_off(gateway: Served) -> int:
    """By how many hours the newest line of the log is ahead of the time."""
    seen = len(gateway.lines("request.end"))
    await (await gateway.chat("no-such-model")).read()
    while len(lines := gateway.lines("request.end")) == seen:  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.01)
    logged = datetime.fromisoformat(lines[-1]["timestamp"])
    return round((logged - datetime.now(UTC)).total_seconds() / 3600)


def by_model(go: asyncio.Event) -> Callable[[Received], Script]:
    """`broken` fails, `slow` streams and waits for `go` after its first word, all else is well."""
    said = sse(chunk_of(ANSWER), chunk_of("", finish="stop"), b"[DONE]")
    stream: Script = [Send(SSE_HEAD), Send(chunk(sse(chunk_of("first")))), Until(go), Send(chunk(said) + LAST_CHUNK)]

    def script(request: Received) -> Script:
        model = request.json()["model"]
        return error_answer(503) if model == "broken" else stream if model == "slow" else healthy(ANSWER)(request)

    return script


async def assert_no_negative_metric(gateway: Served) -> None:
    async with gateway.session.get(gateway.url("/metrics")) as response:
        values = [line.rpartition(" ")[2] for line in (await response.text()).splitlines() if line[0] != "#"]
    assert [value for value in values if float(value) < 0] == []


def assert_durations_hold_no_hour(folder: Path) -> None:
    with sqlite3.connect(folder / "gaia.db") as database:
        durations = [row[0] for row in database.execute("SELECT duration_us FROM usage_records")]
    database.close()
    assert durations
    assert all(0 <= each < 60e6 for each in durations)


THERE_AND_BACK = [signal.SIGALRM, signal.SIGVTALRM, signal.SIGVTALRM]


@pytest.mark.parametrize("steps", [[signal.SIGALRM], [signal.SIGVTALRM], THERE_AND_BACK])
async def test_p5_a_step_of_the_wall_clock_changes_no_decision(tmp_path: Path, steps: list[signal.Signals]) -> None:
    go = asyncio.Event()
    patient = {"first_byte": "30m", "idle": "30m", "total": "40m"}
    changes: dict[str, Any] = {
        "routes": [{"match": ["broken", "slow", "fine"], "targets": [{"provider": "main"}]}],
        "defaults": {"breaker": {"failures": 2, "cooldown": "10m"}, "timeouts": patient},
        "limits": LIMITS | {"requests": "unlimited"},
    }
    async with (
        ScriptedUpstream(by_model(go)) as upstream,
        served(tmp_path, {"main": upstream.url("/v1")}, wrapped_in=STEPPED, **changes) as gateway,
    ):
        running = await gateway.chat("slow", stream=True)
        await running.content.readuntil(b"first")
        for _ in range(2):
            await gateway.chat("broken")
        asked = len(upstream.requests)
        for number in steps:
            await stepped(gateway, number)
        late = await gateway.chat("broken")
        assert (late.status, (await late.json())["error"]["code"]) == (503, "no_healthy_upstream"), (
            "its circuit is open"
        )
        assert len(upstream.requests) == asked
        assert (await gateway.chat("fine")).status == 200, "the key is known, and not expired"
        go.set()
        assert ANSWER.encode() in await running.read()
        await assert_no_negative_metric(gateway)
    assert_durations_hold_no_hour(tmp_path)


@pytest.mark.parametrize("step", [signal.SIGALRM, signal.SIGVTALRM])
async def test_p5_a_window_of_a_limit_opens_no_sooner(tmp_path: Path, step: signal.Signals) -> None:
    async with served(tmp_path, {}, wrapped_in=STEPPED, limits=LIMITS) as gateway:
        statuses = [(await gateway.chat()).status for _ in range(10)]
        assert statuses == [200] * 8 + [429] * 2
        await stepped(gateway, step)
        assert (await gateway.chat()).status == 429
