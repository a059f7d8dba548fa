"""Workers killed at random moments under load, and then the books compared with what the provider itself counted.

    .venv/bin/python -m tests.kills.killing 200
    .venv/bin/python -m tests.kills.killing 200 postgres

Nothing may be lost: each request that the provider saw has a row, and one whose answer came whole to its caller has one
that says so. Nothing may be there twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
from aiohttp import web

from gaiarouter.config.secret import Secret
from gaiarouter.config.settings import Limits
from gaiarouter.server.workers import WORKER_VARIABLE
from gaiarouter.store import open_database, open_store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from tests.store.postgres_server import PostgresServer
from tests.support.ports import free_port

CALLERS = 12
WORKERS = 2
_USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
_WHOLE = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [_CHOICE], "usage": _USAGE}


@dataclass(slots=True)
class Counts:
    """By request id: what the provider saw, and what came whole to its caller."""

    seen: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    kills: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """What the store says, by request id: how many rows, and how it ended. summed: requests in the statistics."""

    rows: Counter[str]
    outcomes: dict[str, str]
    summed: int

    def lost(self, counts: Counts) -> list[str]:
        """Those without a row, and those whole for the caller and not in the books."""
        return [each for each in counts.seen | counts.whole if not self.rows[each]] + [
            each for each in counts.whole if self.rows[each] and self.outcomes[each] != "ok"
        ]

    def twice(self) -> list[str]:
        return [each for each, count in self.rows.items() if count > 1]


async def kill_workers(kills: int, *, seed: int, folder: Path, store: str) -> tuple[Counts, Books]:
    """store: its address. folder: for the configuration and the journals."""
    rng, counts = Random(seed), Counts()
    async with _provider(counts) as provider:
        port = free_port()
        config = _config(folder, store, provider, port)
        key = await _key(store)
        workers = [await _start(config, number) for number in range(1, WORKERS + 1)]
        load = [asyncio.create_task(_ask(f"http://127.0.0.1:{port}", key, counts, rng, n)) for n in range(CALLERS)]
        try:
            while counts.kills < kills:
                await _answers(counts, rng.randint(1, 80))
                await asyncio.sleep(rng.uniform(0.0, 0.1))
                number = counts.kills % WORKERS
                workers[number].send_signal(signal.SIGKILL)
                await workers[number].wait()
                counts.kills += 1
                workers[number] = await _start(config, number + 1)
        finally:
            for task in load:
                task.cancel()
            await asyncio.wait(load)
        await _end(config, folder, workers)
    return counts, await _books(store)


async def _answers(counts: Counts, more: int) -> None:
    """Returns when so many more answers have come whole."""
    enough = len(counts.whole) + more
    async with asyncio.timeout(120):
        while len(counts.whole) < enough:  # noqa: ASYNC110  # the callers' tasks count
            await asyncio.sleep(0.001)


@asynccontextmanager
async def _provider(counts: Counts) -> AsyncIterator[str]:
    """Answers at once, slowly, or as a stream, in turns."""

    async def answer(request: web.Request) -> web.StreamResponse:
        counts.seen.add(request.headers["x-request-id"])
        body = await request.json()
        if not body.get("stream"):
            if len(counts.seen) % 3 == 0:
                await asyncio.sleep(0.05)
            return web.json_response(_WHOLE)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            for delta in ({"role": "assistant", "content": "Hel"}, {"content": "lo"}):
                await response.write(_event({"choices": [{"index": 0, "delta": delta}]}))
                await asyncio.sleep(0.02)
            await response.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
            await response.write(_event({"choices": [], "usage": _USAGE}) + b"data: [DONE]\n\n")
        except ConnectionError:
            pass  # who asked was killed
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site.port}/v1"
    finally:
        await runner.cleanup()


def _event(chunk: dict[str, object]) -> bytes:
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **chunk}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


def _config(folder: Path, store: str, provider: str, port: int) -> Path:
    path = folder / "gaiarouter.yaml"
    path.write_text(
        f"server: {{port: {port}, drain: 5s}}\n"
        f"store: '{store}'\n"
        f"ledger: {{path: '{folder}/ledger'}}\n"
        f"providers: {{p: {{dialect: openai, base_url: '{provider}'}}}}\n"
        "routes: [{match: m, targets: [{provider: p}]}]\n",
        encoding="utf-8",
    )
    return path


async def _key(url: str) -> str:
    store = open_store(Secret(url))
    await store.open()
    unlimited = Limits(requests=None, tokens=None, concurrent=None)
    minted = await create_key(store, name="load", now_us=now_us(), limits=unlimited)
    await store.close()
    return minted.text


async def _start(config: Path, number: int) -> asyncio.subprocess.Process:
    """A worker, as the first process would start one: that is this one here, which never stops it in good order."""
    lifeline, _held = os.pipe()
    os.set_inheritable(lifeline, True)
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gaiarouter", "serve", "-c", str(config)),
        env={**os.environ, WORKER_VARIABLE: f"{number}/{WORKERS}/{lifeline}/{config.parent}"},
        pass_fds=[lifeline],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(lifeline)
    return worker


async def _ask(url: str, key: str, counts: Counts, rng: Random, caller: int) -> None:
    """One request after the other, each on a connection of its own, so that all workers get some."""
    number = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        while True:
            number += 1
            name = f"r-{caller}-{number}"
            stream = rng.random() < 0.5
            body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
            headers = {"authorization": f"Bearer {key}", "x-request-id": name}
            try:
                async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response:
                    text = await response.text()
                    if response.status == 200 and (not stream or "[DONE]" in text):
                        counts.whole.add(name)
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)  # its worker was killed, or none is up yet


async def _end(config: Path, folder: Path, workers: list[asyncio.subprocess.Process]) -> None:
    """All stop; one more start brings in what the killed left."""
    for worker in workers:
        await _stop(worker)
    left = set(_locks(folder))
    last = await _start(config, 1)
    async with asyncio.timeout(60):
        while len(_locks(folder)) != 1 or left & set(_locks(folder)):  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)
    await _stop(last)


async def _stop(worker: asyncio.subprocess.Process) -> None:
    worker.send_signal(signal.SIGTERM)
    await worker.wait()


def _locks(folder: Path) -> list[Path]:
    return list((folder / "ledger").glob("*.lock"))


async def _books(url: str) -> Books:
    database = open_database(Secret(url))
    await database.open(migrate=False)
    rows = await database.read("SELECT request_id, outcome FROM usage_records")
    ((summed,),) = await database.read("SELECT sum(requests) FROM usage_stats")
    await database.close()
    return Books(Counter(name for name, _ in rows), dict(map(tuple, rows)), int(summed))


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        server = PostgresServer() if "postgres" in sys.argv else None
        if server is not None:
            server.start()
        url = server.url if server is not None else f"sqlite:///{folder}/gaia.db"
        try:
            counts, books = asyncio.run(kill_workers(kills, seed=1, folder=Path(folder), store=url))
        finally:
            if server is not None:
                server.remove()
    lost, twice = books.lost(counts), books.twice()
    outcomes = Counter(books.outcomes.values())
    print(
        f"{counts.kills} kills, {len(counts.seen)} requests seen by the provider, {len(counts.whole)} whole for their "
        f"callers, {sum(books.rows.values())} rows {dict(outcomes)}: {len(lost)} lost, {len(twice)} twice; "
        f"the statistics count {books.summed}"
    )
    for name in [*lost, *twice][:20]:
        print(name, books.rows[name], books.outcomes.get(name), name in counts.seen, name in counts.whole)
    return 1 if lost or twice or books.summed != books.rows.total() else 0


if __name__ == "__main__":
    sys.exit(main())
