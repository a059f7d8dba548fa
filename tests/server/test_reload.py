"""A running process reads its file again: on SIGHUP, when it changes, when an administrator asks; no stream notices."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of, healthy
from tests.gateway.running import ANSWER, BACKUP_ANSWER, config
from tests.server.process import LIMITS, START_S, Served, served, until_all
from tests.server.test_workers import until_workers
from tests.support.script import LAST_CHUNK, SSE_HEAD, Send, Step, Until, chunk, sse
from tests.support.upstream import ScriptedUpstream

PATIENT = {"timeouts": {"connect": "9s", "first_byte": "60s", "idle": "60s", "total": "90s"}}
STREAMS, RELOADS = 200, 20


async def by_signal(gateway: Served) -> None:
    gateway.signal(signal.SIGHUP)


async def by_request(gateway: Served) -> None:
    async with gateway.session.post(gateway.url("/v1/config/reload"), headers=gateway.headers()) as response:
        assert (await response.json())["changed"]


async def by_watch(_: Served) -> None:
    """It looks by itself."""


WAYS = (by_signal, by_request, by_watch)


async def metric(gateway: Served, name: str) -> float:
    async with gateway.session.get(gateway.url("/metrics")) as response:
        (line,) = [line for line in (await response.text()).splitlines() if line.startswith(f"gaiarouter_{name} ")]
        return float(line.rpartition(" ")[2])


async def until_metric(gateway: Served, name: str, value: float) -> None:
    async with asyncio.timeout(START_S):
        while await metric(gateway, name) != value:  # noqa: ASYNC110  # in another process
            await asyncio.sleep(0.02)


async def test_200_streams_survive_20_reloads_and_none_notices(tmp_path: Path) -> None:
    """Each reload takes away or changes something that every stream began with."""
    gates = [asyncio.Event() for _ in range(RELOADS)]
    parts = [sse(chunk_of(f"part {number}")) for number in range(RELOADS)]
    script: list[Step] = [Send(SSE_HEAD + chunk(ROLE + sse(chunk_of(ANSWER))))]
    for gate, part in zip(gates, parts, strict=True):
        script += [Until(gate), Send(chunk(part))]
    script.append(Send(chunk(FINISH + DONE) + LAST_CHUNK))
    expected = b"".join([ROLE, sse(chunk_of(ANSWER)), *parts, FINISH, DONE])
    async with ScriptedUpstream(script) as main, ScriptedUpstream(healthy(BACKUP_ANSWER)) as backup:
        bases = {"main": main.url("/v1"), "backup": backup.url("/v1")}
        async with served(tmp_path, bases, defaults=PATIENT) as gateway:
            streams = await asyncio.gather(*(gateway.chat("alone", stream=True) for _ in range(STREAMS)))
            told = [asyncio.create_task(stream.read()) for stream in streams]
            tables: list[dict[str, Any]] = [
                {"routes": []},
                {"routes": [{"match": "alone", "targets": [{"provider": "backup", "model": "m-9"}]}]},
                {"providers": {"demo": {"dialect": "echo"}}, "routes": [], "auth": {"required": False}},
                {"defaults": {**PATIENT, "breaker": {"failures": 1}}},
            ]
            for number, gate in enumerate(gates):
                before = await gateway.config()
                # the size grows too, so that no two in a row look the same
                gateway.write(bases, stream={"hold": f"{number + 5}s"}, **tables[number % len(tables)])
                await WAYS[number % 3](gateway)
                await gateway.until_config(other_than=before)
                gate.set()
            assert await asyncio.gather(*told) == [expected] * STREAMS
            assert len(main.requests) == STREAMS
            assert await metric(gateway, "config_reload_failures_total") == 0


@pytest.mark.parametrize("tell", [by_signal, by_watch])
async def test_a_changed_file_takes_effect(tmp_path: Path, tell: Callable[[Served], Awaitable[None]]) -> None:
    async with served(tmp_path, {}) as gateway:
        before = await gateway.config()
        gateway.write({}, routes=[{"match": "other", "targets": [{"provider": "demo"}]}])
        await tell(gateway)
        await gateway.until_config(other_than=before)
        assert (await gateway.chat("other")).status == 200
        assert (await gateway.chat("demo")).status == 404


async def test_a_config_map_is_swapped_by_a_link_several_times_in_a_row(tmp_path: Path) -> None:
    """As Kubernetes does it: the file is a link into `..data`, which is a link to a folder; the new folder is written
    first, and the link to it put in place of the old one."""
    async with served(tmp_path, {}) as gateway:
        before = await gateway.config()
        mounted = Mount(gateway)
        mounted.swap(0)
        gateway.file.unlink()
        gateway.file.symlink_to(Path("..data") / "gaiarouter.yaml")
        await by_signal(gateway)
        before = await gateway.until_config(other_than=before)
        for number in range(1, 6):
            mounted.swap(number)
        async with asyncio.timeout(START_S):
            while (await gateway.chat("model-5")).status != 200:  # noqa: ASYNC110  # in another process
                await asyncio.sleep(0.02)
        assert (await gateway.chat("model-4")).status == 404
        assert await metric(gateway, "config_reload_failures_total") == 0


class Mount:
    def __init__(self, gateway: Served) -> None:
        self._gateway = gateway
        self._link = gateway.folder / "..data"

    def swap(self, number: int) -> None:
        folder = self._gateway.folder / f"..2026_{number}"
        folder.mkdir()
        routes = [{"match": f"model-{number}", "targets": [{"provider": "demo"}]}]
        written = config(self._gateway.folder, {}, server={"port": self._gateway.port}, limits=LIMITS, routes=routes)
        (folder / "gaiarouter.yaml").write_text(json.dumps(written))
        fresh = self._gateway.folder / "..data_tmp"
        fresh.symlink_to(folder.name)
        fresh.replace(self._link)


async def test_a_change_of_the_env_file_takes_effect(tmp_path: Path) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as main:
        providers = {"main": {"dialect": "openai", "base_url": main.url("/v1"), "api_key": "${MAIN_KEY_IN_FILE:-}"}}
        routes = [{"match": "alone", "targets": [{"provider": "main"}]}]
        async with served(tmp_path, {}, providers=providers, routes=routes) as gateway:
            assert (await gateway.chat("alone")).status == 503, "off: it has no key"
            (tmp_path / ".env").write_text("MAIN_KEY_IN_FILE=sk-from-the-env-file\n")
            async with asyncio.timeout(START_S):
                while (await gateway.chat("alone")).status != 200:  # noqa: ASYNC110  # in another process
                    await asyncio.sleep(0.02)
            assert main.requests[-1].headers["authorization"] == "Bearer sk-from-the-env-file"


async def test_d8_d9_a_broken_or_missing_file_is_counted_and_serving_goes_on(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as gateway:
        before = await gateway.config()
        gateway.file.write_text("routes: [")
        await until_metric(gateway, "config_last_reload_successful", 0)
        failures = await metric(gateway, "config_reload_failures_total")
        gateway.file.unlink()
        await until_metric(gateway, "config_reload_failures_total", failures + 1)
        assert (await gateway.chat("demo")).status == 200
        assert await gateway.config() == before
        gateway.write({}, stream={"hold": "9s"})
        await until_metric(gateway, "config_last_reload_successful", 1)
        assert await gateway.config() != before
        log = (tmp_path / "log").read_text()
        assert re.search(rf"{re.escape(str(gateway.file))}:\d+:\d+: ", log)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
async def test_all_workers_reload_and_one_that_starts_heeds_a_hangup_later(tmp_path: Path) -> None:
    async with served(tmp_path, {}, server={"workers": 2}) as gateway:
        running = await until_workers(gateway, 2)
        for number, tell in enumerate(WAYS):
            before = await gateway.config()
            gateway.write({}, server={"workers": 2}, stream={"hold": f"{number + 7}s"})
            await tell(gateway)
            await until_all(gateway, before)
        assert await until_workers(gateway, 2) == running, "none was started anew"

        victim = min(running)
        os.kill(victim, signal.SIGKILL)
        second = await until_workers(gateway, 2, but=frozenset({victim}))
        for _ in range(20):  # the supervisor passes them on long before the new worker can read its file again
            await by_signal(gateway)
        for _ in range(20):
            assert (await gateway.chat("demo")).status == 200
        assert await until_workers(gateway, 2) == second
