"""The gateway as a part of somebody else's aiohttp application."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gaiarouter import create_app
from gaiarouter.config.problems import ConfigError
from gaiarouter.config.secret import Secret
from gaiarouter.store import open_store
from gaiarouter.store.commands import create_key
from gaiarouter.store.keyring import now_us
from tests.gateway.faults import healthy
from tests.gateway.running import ANSWER, config
from tests.support.upstream import ScriptedUpstream


async def key_for(folder: Path) -> str:
    store = open_store(Secret(f"sqlite:///{folder}/gaia.db"))
    await store.open()
    try:
        return (await create_key(store, name="library", now_us=now_us())).text
    finally:
        await store.close()


async def test_a_gateway_under_a_prefix_of_another_application(tmp_path: Path) -> None:
    key = await key_for(tmp_path)
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        outer = web.Application()

        async def home(_: web.Request) -> web.Response:
            return web.Response(text="home")

        outer.router.add_get("/", home)
        outer.add_subapp("/llm", create_app(config(tmp_path, {"main": upstream.url("/v1")})))
        runner = web.AppRunner(outer, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as session:
                assert await (await session.get(f"{address}/")).text() == "home"
                listed = await (await session.get(f"{address}/llm/v1/models")).json()
                assert [model["id"] for model in listed["data"]] == ["demo", "alone"]
                body = {"model": "alone", "messages": [{"role": "user", "content": "x"}]}
                whole = await session.post(f"{address}/llm/v1/chat/completions", json=body)
                assert (await whole.json())["choices"][0]["message"]["content"] == ANSWER
                streamed = await session.post(f"{address}/llm/v1/chat/completions", json={**body, "stream": True})
                assert (await streamed.text()).endswith("data: [DONE]\n\n")
                missing = await session.get(f"{address}/llm/nothing")
                assert (missing.status, (await missing.json())["error"]["code"]) == (404, "not_found")
                wrong = await session.get(f"{address}/llm/v1/chat/completions")
                assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
                assert (await session.get(f"{address}/llm/health/ready")).status == 200
        finally:
            await runner.cleanup()


async def test_two_gateways_live_beside_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    outer = web.Application()
    keys = []
    for folder in folders:
        folder.mkdir()
        keys.append(await key_for(folder))
        outer.add_subapp(f"/{folder.name}", create_app(config(folder, {})))
    runner = web.AppRunner(outer, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            for name, right, wrong in (("a", keys[0], keys[1]), ("b", keys[1], keys[0])):
                for key, status in ((right, 200), (wrong, 401)):
                    headers = {"authorization": f"Bearer {key}"}
                    assert (await session.get(f"{address}/{name}/v1/models", headers=headers)).status == status
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("form", ["path", "text path", "mapping"])
async def test_the_configuration_may_be_a_path_or_a_mapping(tmp_path: Path, form: str) -> None:
    mapping = config(tmp_path, {})
    path = tmp_path / "gaiarouter.yaml"
    path.write_text(json.dumps(mapping))  # JSON is YAML
    forms: dict[str, Any] = {"path": path, "text path": str(path), "mapping": mapping}
    app = create_app(forms[form])
    runner = web.AppRunner(app)
    await runner.setup()
    await runner.cleanup()


def test_a_configuration_with_a_mistake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        create_app({**config(tmp_path, {}), "rotes": []})
    assert "rotes" in str(caught.value)


async def test_a_gateway_made_of_a_file_watches_it(tmp_path: Path) -> None:
    path = tmp_path / "gaiarouter.yaml"
    path.write_text(json.dumps(config(tmp_path, {})))
    key = await key_for(tmp_path)
    runner = web.AppRunner(create_app(path), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/models"
    try:
        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as session:
            path.write_text(
                json.dumps(config(tmp_path, {}, routes=[{"match": "new", "targets": [{"provider": "demo"}]}]))
            )
            async with asyncio.timeout(10):
                while [each["id"] for each in (await (await session.get(address)).json())["data"]] != ["new"]:  # noqa: ASYNC110  # it looks by itself
                    await asyncio.sleep(0.02)
    finally:
        await runner.cleanup()
