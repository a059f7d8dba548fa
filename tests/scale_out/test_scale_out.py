"""Three gateways are as one: `python -m tests.scale_out`, with fewer of everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.limits.valkey_server import ValkeyServer
from tests.scale_out.balancer import RoundRobin
from tests.scale_out.fleet import fleet
from tests.scale_out.provider import END, FINISH, WORD, chunk_of, sse, words
from tests.scale_out.shows import SHOWS, Size, make_keys, show
from tests.store.postgres_server import PostgresServer
from tests.support.servers import running

FEW = Size(at_once=30, limit=15, budget=10, live=15, restarts=1)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with running(ValkeyServer()) as server:
        yield server


async def test_three_gateways_are_as_one(tmp_path: Path, postgres: PostgresServer, valkey: ValkeyServer) -> None:
    async with fleet(tmp_path, postgres, valkey, RoundRobin()) as running:
        running.provider.chunks, running.provider.every_s = 3, 0.1
        await make_keys(running, FEW)
        shown = [await show(running, FEW, what, each) for what, each in SHOWS]
    assert [(each.what, each.counted) for each in shown if not each.holds] == []


def test_a_stream_that_breaks_off_is_not_whole() -> None:
    said = sse(chunk_of(WORD)) * 3
    assert words(said + FINISH + END) == 3
    assert words(said + FINISH) is None
    assert words(said + sse({"error": {"code": "draining"}}) + END) is None
