"""A store of each engine, empty, and a key ring's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_database
from gaiarouter.store.base import ApiKey, Store
from gaiarouter.store.sql import Database, SqlStore


@dataclass
class Clock:
    """Monotonic and wall time, moved by hand."""

    now: float = 1000.0
    epoch_us: int = 1_700_000_000_000_000

    def monotonic(self) -> float:
        return self.now

    def wall_us(self) -> int:
        return self.epoch_us + round((self.now - 1000.0) * 1e6)

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> Secret:
    return Secret(f"sqlite:///{tmp_path}/gaia.db")


@pytest.fixture
async def database(url: Secret) -> AsyncIterator[Database]:
    database = open_database(url)
    await database.open(migrate=True)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return SqlStore(database)


@pytest.fixture
def key() -> ApiKey:
    return ApiKey(id="key_1", name="alice", secret_hash=bytes(range(32)), created_us=1_700_000_000_000_000)
