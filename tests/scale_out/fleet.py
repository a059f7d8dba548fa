"""Three gateways behind a balancer, on one PostgreSQL and one Valkey, each with a journal of its own, as three machines
would have them; and the callers that ask them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Limits
from gaiarouter.store import open_store
from gaiarouter.store.base import Store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from gaiarouter.store.records import Budget
from tests.limits.valkey_server import ValkeyServer
from tests.scale_out.balancer import Balancer
from tests.scale_out.provider import Provider, words
from tests.store.postgres_server import PostgresServer
from tests.support.ports import free_port

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.1
DRAIN_DELAY = "500ms"
UNLIMITED = Limits(requests=None, tokens=None, concurrent=None)
HEARD_OF_S = 1.5
"""By then every gateway has heard that a key was made, and what it knew of it before is read anew."""
MOST_TOKENS = 100
NANO_A_TOKEN = 15_000


@dataclass
class Member:
    """One gateway. Its folder outlives its process."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gaiarouter", "serve", "-c", str(self.folder / "gaiarouter.yaml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = await asyncio.to_thread(self.process.wait, PATIENCE_S)
        self.process = None
        return code

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@dataclass(frozen=True)
class Answer:
    """What a caller got. words: of a whole stream; None of one that broke off. left: of its limit of requests."""

    name: str
    status: int
    words: int | None = None
    left: int | None = None


@dataclass
class Fleet:
    members: list[Member]
    balancer: Balancer
    provider: Provider
    postgres: PostgresServer
    valkey: ValkeyServer
    store: Store
    session: aiohttp.ClientSession
    ready: tuple[int, ...] = ()
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By the show that they are for: their ids and texts."""
    _count: dict[str, int] = field(default_factory=dict)

    async def make_keys(self, **wanted: Mapping[str, Any]) -> None:
        """By the show that they are for, what each may."""
        self.keys = {show: await self._key(**options) for show, options in wanted.items()}
        await asyncio.sleep(HEARD_OF_S)
        await self.warm()

    async def warm(self) -> None:
        """Every gateway has every key in memory: what is shown is not how fast a busy machine looks keys up."""
        for member in self.members:
            for _, text in self.keys.values():
                headers = {"authorization": f"Bearer {text}"}
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        async with self.session.get(member.url("/v1/models"), headers=headers) as response:
                            if response.status != 503:
                                break

    async def _key(self, *, limits: Limits = UNLIMITED, budget: Budget | None = None, **more: Any) -> tuple[str, str]:
        """Its id, and its text."""
        made = await create_key(self.store, name="Ada", now_us=now_us(), limits=limits, budget=budget, **more)
        return made.id, made.text

    async def ask(self, show: str, key: str, *, of: Member | None = None, stream: bool = False) -> Answer:
        """Through the balancer, or of one. The name begins with the show's."""
        number = self._count[show] = self._count.get(show, 0) + 1
        name = f"{show}-{number:05d}"
        base = f"http://127.0.0.1:{self.balancer.port}" if of is None else of.url("")
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": MOST_TOKENS,
            "stream": stream,
        }
        headers = {"authorization": f"Bearer {key}", "x-request-id": name}
        try:
            async with self.session.post(f"{base}/v1/chat/completions", json=body, headers=headers) as response:
                said = await response.read()
        except aiohttp.ClientError:
            return Answer(name, 0)
        left = response.headers.get("x-ratelimit-remaining-requests")
        return Answer(name, response.status, words(said) if stream else None, None if left is None else int(left))

    async def until_ready(self, count: int) -> None:
        await self.until(lambda: len(self.ready) == count, f"{count} gateways ready")

    async def until(self, holds: Any, what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():  # noqa: ASYNC110  # in other processes
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    async def records(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """Name and outcome of each row that the database has for these, when there are as many."""
        wanted = list(names)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                connection = await asyncpg.connect(self.postgres.url, timeout=PATIENCE_S)
                try:
                    rows = await connection.fetch(
                        "SELECT request_id, outcome FROM usage_records WHERE request_id = ANY($1)", wanted
                    )
                finally:
                    await connection.close()
                if len(rows) >= len(wanted):
                    return [(row["request_id"], row["outcome"]) for row in rows]
                await asyncio.sleep(0.2)

    async def metric(self, member: Member, name: str) -> float:
        async with self.session.get(member.url("/metrics")) as response:
            found = re.findall(rf"^gaiarouter_{name}(?:{{.*}})? (\S+)$", await response.text(), re.MULTILINE)
        return sum(map(float, found))

    async def watch(self) -> None:
        """Asks each gateway whether it is ready, and tells the balancer."""
        while True:
            ready = tuple([member.port for member in self.members if await self._is_ready(member)])
            if ready != self.ready:
                self.ready = ready
                self.balancer.use(ready)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _is_ready(self, member: Member) -> bool:
        try:
            timeout = aiohttp.ClientTimeout(total=2)
            async with self.session.get(member.url("/health/ready"), timeout=timeout) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def _table(member: Member, provider: Provider, postgres: PostgresServer, valkey: ValkeyServer) -> Mapping[str, Any]:
    main = {
        "dialect": "openai",
        "base_url": provider.url,
        "api_key": "sk-main",
        "prices": [{"match": "*", "input": 0, "output": NANO_A_TOKEN / 1000}],
    }
    return {
        "server": {"port": member.port, "drain": "60s", "drain_delay": DRAIN_DELAY},
        "store": postgres.url,
        # many processes share few cores here: an answer that is late is no outage
        "redis": f"{valkey.url}?socket_timeout=30&socket_connect_timeout=30",
        "ledger": {"path": str(member.folder / "ledger")},
        "providers": {"main": main},
        "defaults": {"timeouts": {"connect": "30s", "first_byte": "60s", "idle": "60s", "total": "15m"}},
        "routes": [{"match": "m", "targets": [{"provider": "main"}]}],
        "limits": {"requests": "unlimited", "tokens": "unlimited", "concurrent": "unlimited"},
    }


@asynccontextmanager
async def fleet(
    folder: Path, postgres: PostgresServer, valkey: ValkeyServer, balancer: Balancer, *, count: int = 3
) -> AsyncIterator[Fleet]:
    """Ready. The two servers run."""
    members = [Member(free_port(), folder / f"gateway{number}") for number in range(1, count + 1)]
    store = open_store(Secret(postgres.url))
    await store.open()
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S * 2)
    async with Provider() as provider, aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for member in members:
            member.folder.mkdir()
            table = _table(member, provider, postgres, valkey)
            (member.folder / "gaiarouter.yaml").write_text(json.dumps(table))
            member.start()
        made = Fleet(members, balancer, provider, postgres, valkey, store, session)
        await balancer.start(())
        watch = asyncio.create_task(made.watch())
        try:
            await made.until_ready(count)
            yield made
        finally:
            watch.cancel()
            await asyncio.wait([watch])
            await balancer.close()
            for member in members:
                if member.process is not None:
                    with suppress(subprocess.TimeoutExpired):
                        await member.end(signal.SIGKILL)
            await store.close()
