"""How much is logged: by the setting, by a reload, and by an operator while the gateway runs, in all workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from gaiarouter.config.settings import LogLevel
from gaiarouter.server.log_level import LevelInForce
from tests.gateway.running import Starter, assert_error
from tests.server.process import START_S, Served, served
from tests.server.test_workers import until_workers


def level(setting: LogLevel, shared: Path | None = None) -> tuple[LevelInForce, list[LogLevel]]:
    applied: list[LogLevel] = []
    return LevelInForce(setting, applied.append, shared), applied


def test_what_an_operator_says_holds_until_they_take_it_back() -> None:
    made, applied = level("info")
    made.say("debug")
    made.configure("warning")
    assert made.level == "debug"
    made.say(None)
    assert made.level == "warning"
    assert applied == ["debug", "warning"]


def test_a_reload_changes_the_level_where_nobody_said_another() -> None:
    made, applied = level("info")
    made.configure("error")
    made.configure("error")
    assert applied == ["error"]


def test_all_workers_follow_what_one_is_told_and_a_later_one_begins_with_it(tmp_path: Path) -> None:
    (first, _), (second, applied) = level("info", tmp_path), level("info", tmp_path)
    first.say("debug")
    second.look()
    third, third_applied = level("info", tmp_path)
    assert (second.level, third.level) == ("debug", "debug")
    assert (applied, third_applied) == (["debug"], ["debug"])
    first.say(None)
    second.look()
    assert second.level == "info"


@pytest.mark.parametrize("content", [b"", b"loud", b"\xff", b"debug\n"])
def test_a_file_that_says_nothing_known_changes_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log-level").write_bytes(content)
    assert level("info", tmp_path)[0].level == "info"


async def test_operators_read_and_change_it(start: Starter) -> None:
    gateway = await start()
    key = await gateway.mint(name="operator", permissions=["admin"])
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    async def change(body: Any) -> Any:
        return await gateway.request("PATCH", "/v1/log-level", headers=headers, data=json.dumps(body).encode())

    assert (await change({"level": "debug"})).json() == {"level": "debug", "setting": "info"}
    assert (await gateway.get("/v1/log-level", headers=headers)).json()["level"] == "debug"
    assert (await change({"level": None})).json() == {"level": "info", "setting": "info"}
    for wrong in ({"level": "loud"}, {}, {"level": "info", "for": 1}):
        assert (await change(wrong)).status == 400
    refused = await gateway.get("/v1/log-level")
    assert_error(refused, 403, "admin_required")


async def until_said(gateway: Served, count: int, **wanted: str) -> None:
    """Returns when so many lines with these fields are in the log."""
    async with asyncio.timeout(START_S):
        while True:
            if sum(wanted.items() <= line.items() for line in gateway.lines()) >= count:
                return
            await asyncio.sleep(0.02)  # in other processes


async def until_levels(gateway: Served, wanted: str, count: int) -> None:
    """Returns when so many processes have said that this level came into force for them."""
    await until_said(gateway, count, event="log.level", level_now=wanted)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
async def test_two_workers_follow_an_operator_and_signals(tmp_path: Path) -> None:
    async with served(tmp_path, {}, server={"workers": 2}) as gateway:
        pids = await until_workers(gateway, 2)
        await until_said(gateway, 2, event="server.started")  # at `info`, which ends here
        url, headers = gateway.url("/v1/log-level"), gateway.headers()
        async with gateway.session.patch(url, headers=headers, json={"level": "error"}) as response:
            assert response.status == 200
        await until_levels(gateway, "error", 2)
        assert (await gateway.chat("demo")).status == 200
        os.kill(gateway.process.pid, signal.SIGUSR1)
        await until_levels(gateway, "debug", 2)
        os.kill(max(pids), signal.SIGUSR2)  # a worker, which tells the others
        await until_levels(gateway, "info", 2)
        assert (await gateway.chat("demo")).status == 200
    said = gateway.lines()
    assert len([line for line in said if line["event"] == "request.end"]) == 1, "one was served at `error`"
    started = [line for line in said if line["event"] == "server.started"]
    assert sorted(line["worker"] for line in started) == [1, 2]
    assert len([line for line in said if line["event"] == "server.stopped"]) == 2
    assert all(line["level_now"] for line in said if line["event"] == "log.level")


async def test_the_setting_holds_and_a_reload_changes_it(tmp_path: Path) -> None:
    async with served(tmp_path, {}, log={"level": "warning"}) as gateway:
        before = await gateway.config()
        assert (await gateway.chat("demo")).status == 200
        gateway.write({}, log={"level": "info", "format": "console"})
        await gateway.until_config(other_than=before)
        assert (await gateway.chat("demo")).status == 200
    events = [line["event"] for line in gateway.lines()]
    assert events.count("request.end") == 1
    assert "server.started" not in events
    (reloaded,) = gateway.lines("config.reloaded")
    assert reloaded["needs_restart"] == ["log.format"]
