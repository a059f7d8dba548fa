"""The whole gateway in this process, on a real socket, with a store of its own.

    async with running_gateway(config, folder) as gateway:
        answer = await gateway.post("/v1/chat/completions", json={...})

`gateway.key` is a key minted in its store; `gateway.records()` are the usage records written so far.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from gaiarouter.app import Gateway, load
from gaiarouter.server.log_level import LevelInForce
from gaiarouter.server.protocol import Listener
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from gaiarouter.upstream.public import is_public
from tests.support.upstream import BOUND_S


@dataclass(slots=True)
class RunningGateway:
    """url: `http://127.0.0.1:PORT`. session: a client without cookies, retries or time-outs of its own."""

    gateway: Gateway
    url: str
    key: str
    database: Path
    session: aiohttp.ClientSession = field(repr=False)

    def post(self, path: str = "/v1/chat/completions", *, key: str | None = None, **options: Any) -> Any:
        """aiohttp's request, with the key unless `headers` say otherwise."""
        headers = {"authorization": f"Bearer {key or self.key}", **options.pop("headers", {})}
        return self.session.post(self.url + path, headers=headers, **options)

    def get(self, path: str, *, key: str | None = None, **options: Any) -> Any:
        headers = {"authorization": f"Bearer {key or self.key}", **options.pop("headers", {})}
        return self.session.get(self.url + path, headers=headers, **options)

    async def mint(self, **options: Any) -> str:
        """The text of a new key; options as store.commands.create_key's."""
        minted = await create_key(self.gateway.store, **{"name": "test", "now_us": now_us(), **options})
        return minted.text

    async def records(self, count: int, *, within_s: float = BOUND_S) -> list[dict[str, Any]]:
        """The usage records in the store, in the order of time, once there are at least `count`."""
        async with asyncio.timeout(within_s):
            while await self.gateway.store.count_usage() < count:  # noqa: ASYNC110  # the ledger announces nothing
                await asyncio.sleep(0.01)
        with sqlite3.connect(self.database) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute("SELECT * FROM usage_records ORDER BY time_us, id")]
        database.close()
        return rows

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value now; 0 if that series is not there."""
        return self.gateway.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def running_gateway(
    config: Mapping[str, Any], folder: Path, *, media_from: Callable[[str], bool] = is_public
) -> AsyncIterator[RunningGateway]:
    """config: in the shape of gaiarouter.yaml; its store is put into `folder`. media_from: as of Gateway."""
    database = folder / "gaiarouter.db"
    level = LevelInForce("info", lambda _: None)
    gateway = Gateway(load({**config, "store": f"sqlite:///{database}"}), media_from=media_from, level=level)
    listener = Listener(gateway.app, gateway.dialect)
    await listener.setup()
    try:
        site = web.TCPSite(listener, "127.0.0.1", 0)
        await site.start()
        minted = await create_key(gateway.store, name="test", now_us=now_us())
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=30), connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
        ) as session:
            yield RunningGateway(gateway, f"http://127.0.0.1:{site.port}", minted.text, database, session)
    finally:
        await listener.cleanup()
