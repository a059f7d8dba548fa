"""S-72: secrets are planted everywhere, every way of going wrong is gone, at the most talkative; then none of them may
have come out: in no answer but the callers' own, no log, no metric, no file, no row, no `repr`.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from gaiarouter.app import Gateway, load
from gaiarouter.config.secret import Secret
from gaiarouter.server.routes import DATA_PLANE
from gaiarouter.store import open_store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from gaiarouter.store.keys import MintedKey, mint
from tests.gateway.running import ANSWER, PROMPT, PROVIDER_KEY, chat_body, config
from tests.server.process import Served, served
from tests.store.postgres_server import PostgresServer
from tests.support.script import Reset, Send, Step, answer, head, json_answer, sse_answer
from tests.support.upstream import Received, ScriptedUpstream

ADMIN = "canary-admin-7Qm2Zx9Lw4Rt8Vb1Nc6K"
PEPPER = "canary-pepper-5Hy3Gd0Sf8Jk2Pq7We4U"
PASSWORD = "canary-password-9Tr1Ui6Op"


def _faults(request: Received) -> Iterator[Sequence[Step]]:
    """What a provider may do with what it was sent; it quotes all of it."""
    told = f"bad key {request.headers['authorization']} for {request.body.decode()[:300]}"
    for status in (400, 401, 403, 404, 422, 429, 500, 503):
        yield json_answer({"error": {"message": told, "code": told, "type": told}}, status=status)
    yield answer(f"<html>{told}</html>".encode(), status=502, headers={"content-type": "text/html", "x-key": told})
    yield answer(f"<html>{told}</html>".encode(), headers={"set-cookie": told})
    yield json_answer({"error": {"message": told}})
    yield json_answer({"choices": told})
    yield (Send(head(200, {"content-length": "900"}) + b'{"choices": [{"message": "' + ANSWER.encode()), Reset())
    yield (Send(told.encode()), Reset())
    chunk = {"choices": [{"index": 0, "delta": {"content": ANSWER}}]}
    yield sse_answer([json.dumps({"error": {"message": told}}).encode()])
    yield sse_answer([json.dumps(chunk).encode(), json.dumps({"error": {"message": told}}).encode()])
    yield (*sse_answer([json.dumps(chunk).encode()], end=False), Reset())
    message = {"role": "assistant", "content": ANSWER}
    yield json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


FAULTS = 18


@dataclass
class Spoken:
    """Every answer: those that hold what a model or the gateway had to tell its caller, and all the others."""

    gateway: Served
    refused: list[bytes] = field(default_factory=list)

    async def ask(self, method: str, path: str, key: str, body: Any = None, **headers: str) -> int:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
        async with self.gateway.session.request(method, self.gateway.url(path), data=data, headers=sent) as response:
            try:
                said = await response.read()
            except aiohttp.ClientPayloadError:
                said = b""
            made = response.status in (200, 201) and path.startswith(("/v1/chat", "/v1/api-keys"))
            if not made:
                self.refused.append(repr(response.raw_headers).encode() + said)
            return response.status


async def _models(spoken: Spoken, key: str) -> None:
    for number in range(FAULTS):
        for stream in (False, True):
            await spoken.ask("POST", "/v1/chat/completions", key, chat_body(f"fault-{number}", stream=stream))
    for path in DATA_PLANE:
        for body in (b"", b"{", b'{"model": "alone"}', chat_body("nothing"), chat_body("alone", n="x")):
            await spoken.ask("POST", path, key, body)
    for wrong in (key[:-1], mint().text, ADMIN, PROVIDER_KEY, PEPPER, "", key + "x"):
        await spoken.ask("POST", "/v1/chat/completions", wrong, chat_body("alone"))
        await spoken.ask("GET", f"/v1beta/models?key={wrong}", "", **{"x-goog-api-key": wrong})
    await spoken.ask("GET", f"/nothing/{key}?key={key}", key)
    await spoken.ask("POST", "/v1/chat/completions", key, chat_body("alone"), expect="miracles")


async def _operators(spoken: Spoken, key: str, key_id: str) -> None:
    for path in ("/v1/organizations", "/v1/users", "/v1/api-keys", "/v1/audit-log", "/v1/routes/health"):
        for sent in (ADMIN, key, ADMIN[:-1], PEPPER):
            await spoken.ask("GET", path, sent)
            await spoken.ask("GET", f"{path}?search={ADMIN}&key={key}", sent)
            await spoken.ask("POST", path, sent, b"{")
            await spoken.ask("POST", path, sent, {key: 1, "name": {"x": ADMIN}})
    for path in ("/v1/organizations/org_x", "/v1/users/user_x", f"/v1/api-keys/{key_id}", f"/v1/api-keys/{key}"):
        for method in ("GET", "PATCH", "DELETE"):
            if path != f"/v1/api-keys/{key_id}" or method != "DELETE":
                await spoken.ask(method, path, ADMIN, {"nmae": key})
    for body in ({"model": "alone"}, {"request": chat_body("alone")}, {"model": "nothing", "x": PROMPT}):
        await spoken.ask("POST", "/v1/routes/explain", ADMIN, body)
    await spoken.ask("POST", "/v1/config/reload", ADMIN)
    for path in ("/health", "/metrics", "/openapi.json", "/docs"):
        await spoken.ask("GET", path, "")


async def test_s72_no_secret_comes_out(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.clear()
    monkeypatch.setenv("GAIAROUTER_ADMIN_KEY", ADMIN)
    monkeypatch.setenv("GAIAROUTER_KEY_PEPPER", PEPPER)
    spoken, minted = await _everything_goes_wrong(postgres, tmp_path)
    kept = _files(tmp_path)
    assert PROVIDER_KEY.encode() in kept.pop("gaiarouter.yaml"), "the search finds what is there"
    assert b"request.end" in kept["log"]
    assert b"control.end" in kept["log"]
    answers, rows = b"\n".join(spoken.refused), await _rows(postgres)
    for secret in [ADMIN, PEPPER, PASSWORD, PROVIDER_KEY, minted.text, minted.text[-49:-6]]:
        assert secret.encode() not in answers, f"{secret} was told"
        assert secret not in rows, f"{secret} is in the database"
        for name, content in kept.items():
            assert secret.encode() not in content, f"{secret} is in {name}"
    for said in (PROMPT, ANSWER):
        assert said not in rows
        for name, content in kept.items():
            assert said.encode() not in content, f"{said} is in {name}"


async def _everything_goes_wrong(postgres: PostgresServer, folder: Path) -> tuple[Spoken, MintedKey]:
    """With the database and without it. The key was in use."""
    url = postgres.url.replace("gaia@", f"gaia:{PASSWORD}@")
    for name in ("served", "journal"):
        (folder / name).mkdir()

    def provider(request: Received) -> Sequence[Step]:
        return list(_faults(request))[int(request.path.split("/")[1])]

    async with ScriptedUpstream(provider) as upstream:
        # a provider for each fault: what goes wrong with one puts it to rest
        bases = {f"p{number}": upstream.url(f"/{number}/v1") for number in range(FAULTS)}
        routes = [{"match": f"fault-{n}", "targets": [{"provider": f"p{n}", "model": "m"}]} for n in range(FAULTS)]
        changes: dict[str, Any] = {"store": url, "ledger": {"path": str(folder / "journal")}, "routes": routes}
        changes["log"] = {"level": "debug"}
        async with served(folder / "served", bases, **changes) as gateway:
            store = open_store(Secret(url))
            await store.open()
            minted = await create_key(store, name="k", now_us=now_us(), permissions=["admin"], pepper=PEPPER.encode())
            spoken = Spoken(gateway)
            await _models(spoken, minted.text)
            await _operators(spoken, minted.text, minted.id)
            assert await spoken.ask("POST", f"/v1/api-keys/{minted.id}/rotate", ADMIN, {"overlap_seconds": 60}) == 200
            postgres.stop()
            await _models(spoken, minted.text)
            await _operators(spoken, minted.text, minted.id)
            postgres.start()
            await store.close()
            assert {int(request.path.split("/")[1]) for request in upstream.requests} == set(range(FAULTS))
            gateway.signal()
            await gateway.exit(within_s=60)
    return spoken, minted


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def _rows(postgres: PostgresServer) -> str:
    """All that the database holds."""
    connection = await asyncpg.connect(postgres.url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        held = [await connection.fetch(f'SELECT * FROM "{table[0]}"') for table in tables]
    finally:
        await connection.close()
    assert any("key.rotate" in repr(rows) for rows in held)
    return repr(held)


def test_s72_no_object_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIAROUTER_ADMIN_KEY", ADMIN)
    monkeypatch.setenv("GAIAROUTER_KEY_PEPPER", PEPPER)
    url = f"postgresql://gaia:{PASSWORD}@127.0.0.1:1/gaia"
    settings = load(config(tmp_path, {"main": "http://127.0.0.1:1/v1"}, store=url, ledger={"path": str(tmp_path)}))
    minted = mint(pepper=PEPPER.encode())
    store = open_store(settings.store)
    gateway = Gateway(settings)
    shown = [
        *(repr(each) + str(each) for each in (settings, minted, store, gateway, gateway.control, settings.auth)),
        pickle.dumps(settings).decode("latin-1"),
        repr([vars(each) for each in (store, gateway)]),
    ]
    hashes = (minted.secret_hash.hex(), str(minted.secret_hash))
    for secret in (ADMIN, PEPPER, PASSWORD, PROVIDER_KEY, minted.text, *hashes):
        assert not [text for text in shown if secret in text]
