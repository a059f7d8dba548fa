"""Lists of models, as the three vendors' own clients read them: only what the key may use, page by page."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from tests.gateway.official import anthropic_client, google_client, openai_client
from tests.gateway.running import RunningGateway, Starter

NAMES = [f"team/model-{number:02}" for number in range(45)]


async def serving(start: Starter) -> RunningGateway:
    routes: list[dict[str, Any]] = [{"match": "demo", "targets": [{"provider": "demo"}]}]
    routes += [{"match": name, "targets": [{"provider": "main", "model": "m"}]} for name in NAMES]
    return await start({"main": "http://127.0.0.1:9/v1"}, routes=routes)


async def test_openais_client_lists_and_gets(start: Starter) -> None:
    gateway = await serving(start)
    async with openai_client(gateway) as client:
        listed = [model async for model in client.models.list()]
        one = await client.models.retrieve("team/model-07")
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("team/nothing")
    assert [model.id for model in listed] == ["demo", *NAMES]
    assert {model.owned_by for model in listed[1:]} == {"main"}
    assert (one.id, one.object) == ("team/model-07", "model")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_anthropics_client_lists_page_by_page_and_gets(start: Starter) -> None:
    gateway = await serving(start)
    async with anthropic_client(gateway) as client:
        listed = [model async for model in client.models.list(limit=10)]
        first = await client.models.list(limit=10)
        second = await client.models.list(limit=10, after_id=first.last_id or "")
        before = await client.models.list(limit=10, before_id=second.first_id or "")
        one = await client.models.retrieve("team/model-07")
        with pytest.raises(anthropic.NotFoundError) as caught:
            await client.models.retrieve("team/nothing")
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            await client.models.list(limit=0)
    assert [model.id for model in listed] == ["demo", *NAMES]
    assert [model.id for model in second.data] == NAMES[9:19]
    assert [model.id for model in before.data] == ["demo", *NAMES[:9]]
    assert (first.has_more, one.id, one.type) == (True, "team/model-07", "model")
    assert caught.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]  # an object, here


@pytest.mark.parametrize("version", [None, "v1beta", "v1"])
async def test_googles_client_lists_page_by_page_and_gets(start: Starter, version: str | None) -> None:
    gateway = await serving(start)
    async with google_client(gateway, version=version) as client:
        pager = await client.models.list(config={"page_size": 10})
        assert len(pager) == 10
        listed = [model async for model in pager]
        one = await client.models.get(model="models/team/model-07")
        with pytest.raises(errors.ClientError) as caught:
            await client.models.get(model="models/team/nothing")
    assert [model.name for model in listed] == [f"models/{name}" for name in ("demo", *NAMES)]
    assert one.name == "models/team/model-07"
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


async def test_each_client_sees_what_its_key_may_use(start: Starter) -> None:
    gateway = await serving(start)
    key = await gateway.mint(models=("team/model-0[1-3]",))
    wanted = NAMES[1:4]
    async with openai_client(gateway, key) as client:
        assert [model.id async for model in client.models.list()] == wanted
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("team/model-07")
    async with anthropic_client(gateway, key) as claude:
        assert [model.id async for model in claude.models.list(limit=2)] == wanted
        with pytest.raises(anthropic.NotFoundError):
            await claude.models.retrieve("team/model-07")
    async with google_client(gateway, key) as google:
        assert [m.name async for m in await google.models.list()] == [f"models/{name}" for name in wanted]
        with pytest.raises(errors.ClientError, match="404"):
            await google.models.get(model="models/team/model-07")


async def test_a_wrong_key_lists_nothing(start: Starter) -> None:
    gateway = await serving(start)
    async with openai_client(gateway, "sk-gaia-wrong") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
    async with anthropic_client(gateway, "sk-gaia-wrong") as claude:
        with pytest.raises(anthropic.AuthenticationError):
            await claude.models.list()
    async with google_client(gateway, "sk-gaia-wrong") as google:
        with pytest.raises(errors.ClientError) as caught:
            await google.models.list()
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
