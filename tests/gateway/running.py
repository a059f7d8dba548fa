"""The whole gateway on a loopback port, a caller with a key, and what must hold after every test.

    gateway = await start(main=upstream)
    reply = await gateway.chat("alone")

Models: `alone` is served by `main`; `fb` by `main`, then `backup`; `demo` by the gateway itself. The key may run one
request at a time, so that a slot that is not given back shows as a 429 of the next request.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import aiohttp
from aiohttp import web

import gaiarouter
from gaiarouter.app import Gateway, load
from gaiarouter.config.loader import load as load_file
from gaiarouter.config.loader import settings_of
from gaiarouter.config.source import ConfigFile
from gaiarouter.providers import known_kinds
from gaiarouter.server.log_level import LevelInForce
from gaiarouter.server.protocol import Listener
from gaiarouter.server.writing import STALLED_S
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from tests.support.upstream import BOUND_S

PROVIDER_KEY = "sk-main-Q2zW9xE7rT5yU3iO1pA8"
BACKUP_KEY = "sk-back-L4kJ6hG8fD0sA2qW3eR5"
PROMPT = "prompt-canary-5d1c"
ANSWER = "answer-canary-9f2e"
BACKUP_ANSWER = "backup-canary-77ab"

RETRY = {"backoff": "1ms", "max_backoff": "5ms", "budget": "100%"}
PATIENT = {
    "timeouts": {"connect": "10s", "first_byte": "10s", "idle": "10s", "total": "60s"},
    "retry": RETRY,
}
"""`defaults` with which nothing ends by the clock, however busy the machine is."""
QUICK = {
    "timeouts": {"connect": "300ms", "first_byte": "400ms", "idle": "400ms", "total": "20s"},
    "retry": RETRY,
}
"""`defaults` for a provider that is silent."""

_MEMORY = Path("/dev/shm")
_CODE = str(Path(gaiarouter.__file__).parent)

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


def config(folder: Path, bases: Mapping[str, str], *, main: str = "openai", **changes: Any) -> dict[str, Any]:
    """A configuration in the shape of gaiarouter.yaml; `changes` replace whole entries. main: the dialect of `main`."""
    keys = {"main": PROVIDER_KEY, "backup": BACKUP_KEY}
    providers: dict[str, Any] = {
        name: {
            "dialect": main if name == "main" else "openai",
            "base_url": base,
            "api_key": keys.get(name, PROVIDER_KEY),
        }
        for name, base in bases.items()
    }
    routes = [{"match": "demo", "targets": [{"provider": "demo"}]}]
    if "main" in bases:
        routes.append({"match": ["alone", "alone-*"], "targets": [{"provider": "main", "model": "m-1"}]})
    if "backup" in bases:
        routes.append(
            {
                "match": "fb",
                "targets": [{"provider": "main", "model": "m-1"}],
                "fallbacks": [{"provider": "backup", "model": "m-2"}],
            }
        )
    return {
        "store": f"sqlite:///{folder}/gaia.db",
        "providers": {"demo": {"dialect": "echo"}, **providers},
        "defaults": PATIENT,
        "routes": routes,
        "limits": {"requests": "unlimited", "tokens": "unlimited", "concurrent": 1},
        **changes,
    }


def chat_body(model: str, **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": PROMPT}], **members}


@dataclass(frozen=True)
class Reply:
    """A whole answer as the caller got it. broken: the connection ended before the body did."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of each event, decoded; `[DONE]` as bytes."""
        lines = re.split(rb"\r\n|\r|\n", self.body.removeprefix(b"\xef\xbb\xbf"))
        data = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
        return [item if item == b"[DONE]" else json.loads(item) for item in data]

    @property
    def text(self) -> str:
        """What the model said, streamed or not."""
        if self.headers["content-type"].startswith("text/event-stream"):
            choices = [choice for event in self.events if event != b"[DONE]" for choice in event.get("choices", ())]
            return "".join(choice["delta"].get("content") or "" for choice in choices)
        return "".join(choice["message"]["content"] for choice in self.json()["choices"])

    @property
    def error(self) -> dict[str, Any]:
        """The error that the body is, or that its last event is."""
        streamed = self.headers["content-type"].startswith("text/event-stream")
        found: dict[str, Any] = (self.events[-1] if streamed else self.json())["error"]
        return found


def assert_error(reply: Reply, status: int, code: str | None, *, param: str | None = None) -> None:
    """An error answer in the shape of OpenAI's, and nothing else."""
    assert (reply.status, reply.error["code"]) == (status, code), reply.body
    assert not reply.broken
    assert len(reply.body) <= 4096
    assert reply.headers["content-type"].startswith("application/json")
    assert set(reply.error) == {"message", "type", "param", "code"}
    assert isinstance(reply.error["message"], str)
    assert reply.error["message"]
    assert reply.error["type"] in {
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "timeout_error",
        "api_error",
        "scripted",
    }
    if param is not None:
        assert reply.error["param"] == param
    if "request_id" in reply.json():
        assert reply.json()["request_id"] == reply.headers["x-request-id"]


def assert_error_event(reply: Reply, code: str) -> None:
    """A stream that had begun and ends with an error: no finish reason, no [DONE], a whole body."""
    assert reply.status == 200
    assert not reply.broken
    assert reply.error["code"] == code, reply.error
    assert b"[DONE]" not in reply.events
    assert not any(c.get("finish_reason") for event in reply.events for c in event.get("choices", ()))
    assert set(reply.error) == {"message", "type", "param", "code"}


@dataclass
class RunningGateway:
    """came_out: every byte that any caller was sent. log: what the process has logged since the test began."""

    gateway: Gateway
    port: int
    key: str
    folder: Path
    session: aiohttp.ClientSession
    log: io.BytesIO
    came_out: bytearray = field(default_factory=bytearray)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def chat(self, model: str = "alone", *, headers: Mapping[str, str] | None = None, **members: Any) -> Reply:
        return await self.post(chat_body(model, **members), headers=headers)

    async def post(
        self, body: Any, *, path: str = "/v1/chat/completions", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """body: bytes go out as they are, all else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {self.key}", "content-type": "application/json", **(headers or {})}
        return await self.request("POST", path, headers=sent, data=data)

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.request("GET", path, headers={"authorization": f"Bearer {self.key}", **(headers or {})})

    async def request(self, method: str, path: str, *, headers: Headers = (), data: bytes | None = None) -> Reply:
        sent = None if data is None else io.BytesIO(data)
        async with self.session.request(method, self.url(path), headers=headers, data=sent) as response:
            return await self.rest_of(response)

    async def rest_of(self, response: aiohttp.ClientResponse, seen: bytes = b"") -> Reply:
        """The answer with what is still to come of it."""
        broken, body = False, seen
        try:
            async for part in response.content.iter_any():
                body += part
        except aiohttp.ClientPayloadError:
            broken = True
        self.saw(repr(response.raw_headers).encode() + body)
        assert response.headers["x-request-id"]
        return Reply(response.status, {n.lower(): v for n, v in response.headers.items()}, body, broken)

    @asynccontextmanager
    async def streaming(self, model: str = "alone", **members: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """A streamed answer in the making; leaving the context hangs up."""
        headers = {"authorization": f"Bearer {self.key}"}
        body = chat_body(model, stream=True, **members)
        response = await self.session.post(self.url("/v1/chat/completions"), headers=headers, json=body)
        try:
            yield response
        finally:
            response.close()

    def saw(self, data: bytes) -> None:
        self.came_out += data

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(f"gaiarouter_{name}", labels) or 0.0

    async def idle(self) -> None:
        """Returns when no request is being served."""
        async with asyncio.timeout(BOUND_S):
            await self.gateway.data_plane.until_idle()

    async def records(self) -> list[sqlite3.Row]:
        """The usage records in the store, the oldest first."""
        await self.idle()
        async with asyncio.timeout(BOUND_S):
            while self.metric("ledger_pending"):  # noqa: ASYNC110  # it happens in the store's thread
                await asyncio.sleep(0.002)
        with sqlite3.connect(self.folder / "gaia.db") as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM usage_records ORDER BY id").fetchall()
        database.close()
        return rows

    async def record(self) -> sqlite3.Row:
        """The one usage record."""
        (row,) = await self.records()
        return row

    def rewrite(self, bases: Mapping[str, str], **changes: Any) -> None:
        """Another configuration in the file of a gateway that was started from one; nobody is told."""
        self.write(json.dumps(config(self.folder, bases, **changes)))

    def write(self, text: str) -> None:
        fresh = self.file.with_name("fresh")
        fresh.write_text(text)
        fresh.replace(self.file)

    @property
    def file(self) -> Path:
        return file_in(self.folder)

    async def reload(self) -> Reply:
        key = await self.mint(name="operator", permissions=["admin"])
        return await self.request("POST", "/v1/config/reload", headers={"authorization": f"Bearer {key}"})

    async def mint(self, **options: Any) -> str:
        options.setdefault("name", "other")
        return (await create_key(self.gateway.store, now_us=now_us(), **options)).text

    async def check(self, secrets: Sequence[str]) -> None:
        """What holds after every test: no request runs, no slot is taken, nothing secret came out."""
        await self.idle()
        assert self.metric("requests_in_flight") == 0
        if self.gateway.settings.auth.required:
            assert (await self.chat("demo")).status == 200, "a slot was not given back"
        self.gateway.metrics.look()
        public = bytes(self.came_out) + self.gateway.metrics.render()[0]
        kept = self.log.getvalue() + b"".join(path.read_bytes() for path in self.folder.iterdir() if path.is_file())
        for secret in (self.key, *secrets):
            assert secret.encode() not in public, f"{secret} came out"
            assert secret.encode() not in kept, f"{secret} was logged or stored"
        for said in (PROMPT, ANSWER, BACKUP_ANSWER):
            assert said.encode() not in kept, f"{said} was logged or stored"


def file_in(folder: Path) -> Path:
    """Apart from what must hold no secret."""
    return folder / "etc" / "gaiarouter.yaml"


def _level() -> LevelInForce:
    """The tests' own log is at its most talkative whatever it says."""
    return LevelInForce("info", lambda _: None)


def _from_file(path: Path, written: Mapping[str, Any]) -> Gateway:
    path.parent.mkdir()
    path.write_text(json.dumps(written))
    source = ConfigFile(path, partial(load_file, environ=os.environ, known_kinds=known_kinds()))
    return Gateway(settings_of(source.load()), source=source, level=_level())


class Starter:
    """Starts gateways, and stops and checks them at the end of the test."""

    def __init__(self, log: io.BytesIO) -> None:
        # in memory where there is such a place: the stores' fsyncs are most of the time that a test takes
        self._folder = TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
        self._log = log
        self._running: list[tuple[RunningGateway, web.AppRunner, list[str]]] = []

    async def __call__(
        self,
        bases: Mapping[str, str] | None = None,
        *,
        from_file: bool = False,
        stalled_s: float = STALLED_S,
        **changes: Any,
    ) -> RunningGateway:
        """bases: the base URL of each provider. changes: entries of the configuration. from_file: it stands in a file,
        which can be rewritten and read again. stalled_s: see Listener."""
        bases = bases or {}
        folder = Path(self._folder.name) / f"gateway{len(self._running)}"
        folder.mkdir()
        written = config(folder, bases, **changes)
        gateway = _from_file(file_in(folder), written) if from_file else Gateway(load(written), level=_level())
        listener = Listener(gateway.app, gateway.dialect, stalled_s=stalled_s)
        await listener.setup()
        site = web.TCPSite(listener, "127.0.0.1", 0)
        await site.start()
        key = await create_key(gateway.store, name="tests", now_us=now_us())
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, timeout=aiohttp.ClientTimeout(total=20)
        )
        running = RunningGateway(gateway, listener.addresses[0][1], key.text, folder, session, self._log)
        secrets = [PROVIDER_KEY, BACKUP_KEY, *(base.partition("//")[2].partition("/")[0] for base in bases.values())]
        self._running.append((running, listener, secrets))
        return running

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                for running, _, secrets in self._running:
                    await running.check(secrets)
        finally:
            with self._folder:
                for running, listener, _ in self._running:
                    await running.session.close()
                    await listener.cleanup()
        if error is None:
            await _no_task_is_left()


async def _no_task_is_left() -> None:
    """All that the gateway began has come to its end, too."""
    left = [""]
    for _ in range(20):
        await asyncio.sleep(0)  # those that were cancelled just now
        left = [repr(task) for task in asyncio.all_tasks() if _is_of_the_gateway(task)]
    assert left == []


def _is_of_the_gateway(task: asyncio.Task[Any]) -> bool:
    coroutine = task.get_coro()
    return inspect.iscoroutine(coroutine) and coroutine.cr_code.co_filename.startswith(_CODE)
