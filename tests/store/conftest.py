"""A store of each engine, empty, and a key ring's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_database
from gaiarouter.store.base import ApiKey, Store
from gaiarouter.store.commands import create_key
from gaiarouter.store.database import Database
from gaiarouter.store.keyring import KeyRing
from gaiarouter.store.keys import MintedKey
from gaiarouter.store.records import Author, Organization, User
from gaiarouter.store.sql import SqlStore
from tests.store.line import Line
from tests.store.postgres_server import PostgresServer
from tests.support.servers import running

ORGANIZATION = Organization("org_1", "Acme", created_us=1_690_000_000_000_000, updated_us=1_690_000_000_000_000)
USER = User("user_1", "org_1", "ada@acme.example", "Ada", "read", created_us=3, updated_us=3)
AUTHOR = Author("key_admin", 1_700_000_000_000_009, "req-1")


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Secret:
    """The address of an empty database of each engine."""
    if request.param == "sqlite":
        return Secret(f"sqlite:///{tmp_path}/gaia.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    server.clear()
    return Secret(server.url)


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


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


@pytest.fixture
async def ring(line: Line, clock: Clock) -> AsyncIterator[KeyRing]:
    ring = KeyRing(SqlStore(line), clock=clock.monotonic, wall_us=clock.wall_us)
    yield ring
    await ring.close()


@pytest.fixture
async def alice(store: Store, clock: Clock) -> MintedKey:
    return await create_key(store, name="alice", now_us=clock.wall_us())
