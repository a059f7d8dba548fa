"""Two processes on one port: each death is mended, a signal reaches both, and a scrape of one shows both."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from gaiarouter.server.workers import worker_of
from tests.server.process import START_S, Served, served

DEADLINE_S = 20.0


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
        ({"GAIAROUTER_WORKER": "2/4"}, (2, 4)),
        ({}, None),
        ({"GAIAROUTER_WORKER": "x"}, None),
        ({"GAIAROUTER_WORKER": "1/"}, None),
    ],
)
def test_a_worker_knows_its_number(said: dict[str, str], worker: tuple[int, int] | None) -> None:
    assert worker_of(said) == worker
