"""Two processes on one port: each death is mended, a signal reaches both, and a scrape of one shows both."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gaiarouter import __version__
from gaiarouter.server.workers import Worker, worker_of
from tests.gateway.faults import DONE, FINISH, ROLE, chunk_of
from tests.gateway.running import ANSWER
from tests.server.process import START_S, Served, served, until_all
from tests.server.test_run import until_it_drains
from tests.support.script import LAST_CHUNK, SSE_HEAD, Send, Step, Until, chunk, sse
from tests.support.upstream import ScriptedUpstream

DEADLINE_S = 60.0


def workers(parent: int) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


async def until_workers(gateway: Served, count: int, *, but: frozenset[int] = frozenset()) -> set[int]:
    """The pids, when `count` workers other than `but` run."""
    async with asyncio.timeout(START_S):
        while len(found := workers(gateway.process.pid) - but) < count:  # noqa: ASYNC110  # in another process
            await asyncio.sleep(0.02)
        return found


def answered(text: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith("gaiarouter_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def until_scraped(gateway: Served, count: int) -> None:
    """Returns when a scrape tells of that many requests: a worker tells the others twice a second."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with gateway.session.get(gateway.url("/metrics")) as scrape:
                if answered(await scrape.text()) == count:
                    return


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
async def test_p6_two_workers_serve_die_are_restarted_and_end_together(tmp_path: Path) -> None:
    async with served(tmp_path, {}, server={"workers": 2}) as gateway:
        first = await until_workers(gateway, 2)
        for _ in range(40):
            response = await gateway.chat("demo")
            assert response.status == 200
        await until_scraped(gateway, 40)  # whichever worker is asked

        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        second = await until_workers(gateway, 2, but=frozenset({victim}))
        assert len(second & first) == 1
        await gateway.until_ready()
        for _ in range(20):
            assert (await gateway.chat("demo")).status == 200
        await until_scraped(gateway, 60)  # what a dead worker counted still counts

        gateway.signal()
        assert await gateway.exit(within_s=DEADLINE_S) == 0
        assert alive(first | second) == set()


@pytest.mark.parametrize(
    ("said", "worker"),
    [
        ({"GAIAROUTER_WORKER": "2/4/7/a/b"}, Worker(2, 4, 7, "a/b")),
        ({}, None),
        ({"GAIAROUTER_WORKER": "x"}, None),
        ({"GAIAROUTER_WORKER": "1/2"}, None),
    ],
)
def test_a_worker_knows_its_number(said: dict[str, str], worker: Worker | None) -> None:
    assert worker_of(said) == worker


_ORPHAN = """
import os, signal
from gaiarouter.server.workers import have_all_workers_reload

told = []
signal.signal(signal.SIGHUP, lambda *_: told.append(1))
lifeline, held = os.pipe()
for _ in range(2):
    if not (child := os.fork()):
        have_all_workers_reload(lifeline)
        os._exit(0)
    os.waitpid(child, 0)
    print(len(told))
    if held:
        os.close(held)
        held = 0
"""
"""The parent of a worker twice: as its first process, and when that is gone, as whoever has inherited the worker."""


def test_only_the_first_process_is_told_to_reload() -> None:
    ran = subprocess.run([sys.executable, "-c", _ORPHAN], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "1"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
async def test_workers_whose_first_process_was_killed_drain_and_go(tmp_path: Path) -> None:
    """Nobody would replace them or tell them anything, and a new start would share the port with them."""
    async with served(tmp_path, {}, server={"workers": 2}) as gateway:
        pids = await until_workers(gateway, 2)
        gateway.process.kill()
        await gateway.exit(within_s=DEADLINE_S)
        async with asyncio.timeout(DEADLINE_S):
            while alive(pids):  # noqa: ASYNC110  # in other processes
                await asyncio.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
async def test_p6_d8_a_worker_that_dies_while_the_file_is_broken_is_replaced_all_the_same(tmp_path: Path) -> None:
    """By one with the last configuration that was right, be it one that came by a reload."""
    async with served(tmp_path, {}, server={"workers": 2}) as gateway:
        first = await until_workers(gateway, 2)
        before = await gateway.config()
        gateway.write({}, server={"workers": 2}, routes=[{"match": "other", "targets": [{"provider": "demo"}]}])
        await until_all(gateway, before)
        good = await gateway.config()
        gateway.file.write_text("routes: [")
        for victim in first:
            os.kill(victim, signal.SIGKILL)
        second = await until_workers(gateway, 2, but=frozenset(first))
        await gateway.until_ready()
        assert await gateway.config() == good
        assert (await gateway.chat("other")).status == 200
        gateway.write({}, server={"workers": 2}, stream={"hold": "9s"})
        await until_all(gateway, good)
        assert await until_workers(gateway, 2) == second, "none was started anew"


SAID = Send(SSE_HEAD + chunk(ROLE + sse(chunk_of(ANSWER))))
WHOLE = ROLE + sse(chunk_of(ANSWER)) + FINISH + DONE
PATIENT = {"timeouts": {"connect": "9s", "first_byte": "60s", "idle": "60s", "total": "90s"}}


def by_sigterm(gateway: Served) -> None:
    gateway.signal()


def by_ctrl_c(gateway: Served) -> None:
    """A terminal sends it to every process of its group, not to the first alone."""
    os.killpg(gateway.process.pid, signal.SIGINT)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
@pytest.mark.parametrize("stop", [by_sigterm, by_ctrl_c])
async def test_p1_streams_of_all_workers_end_whole(tmp_path: Path, stop: Callable[[Served], None]) -> None:
    go = asyncio.Event()
    script: list[Step] = [SAID, Until(go), Send(chunk(FINISH + DONE) + LAST_CHUNK)]
    async with (
        ScriptedUpstream(script) as upstream,
        served(
            tmp_path,
            {"main": upstream.url("/v1")},
            server={"workers": 2},
            defaults=PATIENT,
            wrapped_in=("setsid",),
        ) as gateway,
    ):
        pids = await until_workers(gateway, 2)
        streams = await asyncio.gather(*(gateway.chat("alone", stream=True) for _ in range(60)))
        stop(gateway)
        await until_it_drains(gateway)
        go.set()
        assert await asyncio.gather(*(stream.read() for stream in streams)) == [WHOLE] * 60
        assert await gateway.exit(within_s=DEADLINE_S) == 0
        assert alive(pids) == set()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks /proc for children")
async def test_p6_a_worker_is_replaced_within_a_second_and_a_crash_loop_ends_with_1(tmp_path: Path) -> None:
    async with served(tmp_path, {}, server={"workers": 2}) as gateway:
        loop, dead, took = asyncio.get_running_loop(), frozenset[int](), []
        for crash in range(1, 6):
            running = await until_workers(gateway, 2, but=dead)
            victim = min(running)
            began = loop.time()
            os.kill(victim, signal.SIGKILL)
            dead |= {victim}
            if crash < 5:
                await until_workers(gateway, 2, but=dead)
                took.append(loop.time() - began)
        assert min(took) < 1
        assert await gateway.exit(within_s=DEADLINE_S) == 1
        assert alive(running) == set()
        log = (tmp_path / "log").read_text()
    assert "gaiarouter: workers died 5 times within 30 s" in log


TOLD_TO_STOP_WHILE_STARTING = """
import os, signal, sys
from gaiarouter.server.workers import supervise

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)  # heeded once the first worker is started
sys.exit(supervise(3, ["--version"], sys.argv[1], {}))
"""


def test_a_first_process_that_is_told_to_stop_starts_no_more_workers(tmp_path: Path) -> None:
    """They would never be told, and it would wait for them for ever."""
    command = [sys.executable, "-c", TOLD_TO_STOP_WHILE_STARTING, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["gaiarouter", __version__]
