"""`gaiarouter serve` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from tests.gateway.running import chat_body, config
from tests.support.ports import free_port

START_S = 60.0
EXIT_S = 15.0
"""In which a process ends that waits for nobody: two seconds where nothing else runs. What it would wait for in vain
lasts longer."""
LIMITS = {"requests": "unlimited", "tokens": "unlimited", "concurrent": 256}


@dataclass
class Served:
    process: asyncio.subprocess.Process
    port: int
    key: str
    folder: Path
    session: aiohttp.ClientSession
    scheme: str = "http"

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def chat(self, model: str = "demo", **members: Any) -> aiohttp.ClientResponse:
        body = chat_body(model, **members)
        return await self.session.post(self.url("/v1/chat/completions"), headers=self.headers(), json=body)

    @property
    def file(self) -> Path:
        return self.folder / "gaiarouter.yaml"

    def write(self, bases: Mapping[str, str], **changes: Any) -> None:
        """Another configuration in its file; nobody is told."""
        server = {"port": self.port, **changes.pop("server", {})}
        fresh = self.folder / "fresh"
        fresh.write_text(json.dumps(config(self.folder, bases, **{"server": server, "limits": LIMITS, **changes})))
        fresh.replace(self.file)

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it has logged, of one event or all. A line that is being written is left out."""
        whole, _, _ = (self.folder / "log").read_text().rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if event in (None, line["event"])]

    async def config(self) -> str:
        """The fingerprint of the configuration in force."""
        async with self.session.get(self.url("/health")) as response:
            return str((await response.json())["config"])

    async def until_config(self, *, other_than: str) -> str:
        async with asyncio.timeout(START_S):
            while (found := await self.config()) == other_than:  # noqa: ASYNC110  # in another process
                await asyncio.sleep(0.01)
            return found

    def signal(self, number: int = signal.SIGTERM) -> float:
        self.process.send_signal(number)
        return asyncio.get_running_loop().time()

    async def exit(self, *, within_s: float) -> int:
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    async def until_ready(self) -> None:
        async with asyncio.timeout(START_S):
            while True:
                try:
                    async with self.session.get(self.url("/health/ready")) as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    assert self.process.returncode is None, (self.folder / "log").read_text()
                await asyncio.sleep(0.02)  # another process is what is waited for


@asynccontextmanager
async def served(
    folder: Path,
    bases: Mapping[str, str],
    *,
    stdout: int | None = None,
    wrapped_in: Sequence[str] = (),
    trusting: ssl.SSLContext | None = None,
    **changes: Any,
) -> AsyncIterator[Served]:
    """Ready, with a key; killed at the end if it still runs. stdout: a descriptor for its log, in place of the file.
    wrapped_in: a command that runs the one behind it. trusting: it speaks TLS, and this is the client's."""
    port, key = free_port(), await _key(folder)
    server = {"port": port, **changes.pop("server", {})}
    path = folder / "gaiarouter.yaml"
    path.write_text(json.dumps(config(folder, bases, **{"server": server, "limits": LIMITS, **changes})))
    command = (*wrapped_in, sys.executable, "-m", "gaiarouter", "serve", "-c", str(path))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=log if stdout is None else stdout,
            stderr=log,
            env={**os.environ, "TMPDIR": str(folder)},  # one that is killed cannot clear up
        )
    # a connection each: what one test does to a connection is not the next request's
    connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=trusting or True)
    async with aiohttp.ClientSession(connector=connector) as session:
        running = Served(process, port, key, folder, session, "http" if trusting is None else "https")
        try:
            await running.until_ready()
            yield running
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await running.exit(within_s=EXIT_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _key(folder: Path) -> str:
    store = open_store(Secret(f"sqlite:///{folder}/gaia.db"))
    await store.open()
    try:
        return (await create_key(store, name="tests", now_us=now_us(), permissions=["admin"])).text
    finally:
        await store.close()


async def until_all(gateway: Served, before: str) -> None:
    """Twenty in a row say so: connections are new each time, and the kernel spreads them."""
    async with asyncio.timeout(START_S):
        said = 0
        while said < 20:
            said = said + 1 if await gateway.config() != before else 0
