"""What every good answer carries: its headers, the limits of its key, and the list of models."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from gaiarouter.config.settings import Limits, Rate
from tests.gateway.faults import completion, healthy
from tests.gateway.running import ANSWER, Starter, assert_error, chat_body
from tests.support.script import Hang, Until, json_answer
from tests.support.upstream import ScriptedUpstream

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
GO_DURATION = re.compile(r"\d+ms|\d+(\.\d+)?s|\d+m\d+s")


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@both
async def test_an_answer_says_how_it_was_made(start: Starter, stream: bool) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        reply = await gateway.chat("alone", stream=stream, headers={"x-request-id": "mine-1"})
        told = {name: value for name, value in reply.headers.items() if name.startswith("x-")}
        overhead = float(told.pop("x-gaia-overhead-ms"))
        assert overhead > 0
        told.pop("x-accel-buffering", None)
        assert told == {
            "x-request-id": "mine-1",
            "x-gaia-route": "alone",
            "x-gaia-provider": "main",
            "x-gaia-model": "m-1",
            "x-gaia-attempts": "1",
            "x-content-type-options": "nosniff",
        }
        assert upstream.requests[0].headers["x-request-id"] == "mine-1"
        assert (await gateway.record())["request_id"] == "mine-1"


async def test_the_gateways_own_time_leaves_out_the_providers(start: Starter) -> None:
    go = asyncio.Event()
    async with ScriptedUpstream([Until(go), *json_answer(completion(ANSWER))]) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        began = asyncio.get_running_loop().time()
        asked = asyncio.create_task(gateway.chat())
        await upstream.until(lambda: upstream.requests)
        await asyncio.sleep(0.2)  # the provider's time
        go.set()
        reply = await asked
        took_ms = (asyncio.get_running_loop().time() - began) * 1000
        assert 0 < float(reply.headers["x-gaia-overhead-ms"]) < took_ms - 190


@both
async def test_the_headers_name_no_more_than_printable_ascii(start: Starter, stream: bool) -> None:
    """A model's name that callers choose stands in two of them."""
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start(
            {"main": upstream.url("/v1")},
            routes=[
                {"match": "demo", "targets": [{"provider": "demo"}]},
                {"match": "*", "targets": [{"provider": "main"}]},
            ],
        )
        for name in ("a\r\nSet-Cookie: x=1", "modèle", "%41", "a b", "\x00"):
            reply = await gateway.chat(name, stream=stream)
            assert reply.status == 200
            assert "set-cookie" not in reply.headers
            assert reply.headers["x-gaia-model"].isascii()
            assert reply.headers["x-gaia-model"].isprintable()


LIMITED = Limits(requests=Rate(3, 60.0), tokens=Rate(1000, 60.0), concurrent=2)


async def test_what_a_key_has_left_is_told_with_every_answer(start: Starter) -> None:
    gateway = await start()
    key = await gateway.mint(limits=LIMITED)
    left = []
    for stream in (False, True):
        reply = await gateway.post(chat_body("demo", max_tokens=30, stream=stream), headers=bearer(key))
        assert reply.status == 200
        assert reply.headers["x-ratelimit-limit-requests"] == "3"
        assert reply.headers["x-ratelimit-limit-tokens"] == "1000"
        for what in ("requests", "tokens"):
            assert GO_DURATION.fullmatch(reply.headers[f"x-ratelimit-reset-{what}"])
        left.append([int(reply.headers[f"x-ratelimit-remaining-{what}"]) for what in ("requests", "tokens")])
    assert [requests for requests, _ in left] == [2, 1]
    assert left[1][1] < left[0][1] < 1000


async def test_a_spent_limit_is_429_and_says_when_to_come_back(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        key = await gateway.mint(limits=LIMITED, name="laptop")
        for _ in range(3):
            assert (await gateway.post(chat_body("alone"), headers=bearer(key))).status == 200
        reply = await gateway.post(chat_body("alone"), headers=bearer(key))
        assert_error(reply, 429, "rate_limit_exceeded")
        assert 1 <= int(reply.headers["retry-after"]) <= 20
        assert 0 < int(reply.headers["retry-after-ms"]) <= 20_000
        assert reply.error["type"] == "rate_limit_error"
        assert reply.headers["x-ratelimit-limit-requests"] == "3"
        assert reply.headers["x-ratelimit-remaining-requests"] == "0"
        assert GO_DURATION.fullmatch(reply.headers["x-ratelimit-reset-requests"])
        assert reply.headers["x-ratelimit-limit-tokens"] == "1000"
        for word in ("'laptop'", "3 requests per minute", "resets"):
            assert word in reply.error["message"]
        assert len(upstream.requests) == 3
        assert (await gateway.records())[-1]["error"] == "rate_limit_exceeded"
        assert (await gateway.chat("alone")).status == 200, "another key is not concerned"


async def test_a_request_larger_than_the_whole_window_is_told_not_to_come_back(start: Starter) -> None:
    gateway = await start()
    key = await gateway.mint(limits=LIMITED)
    reply = await gateway.post(chat_body("demo", max_tokens=5000), headers=bearer(key))
    assert_error(reply, 429, "rate_limit_exceeded")
    assert "retry-after" not in reply.headers
    assert reply.headers["x-should-retry"] == "false"


async def test_one_too_many_at_a_time_is_429_until_one_ends(start: Starter) -> None:
    async with ScriptedUpstream([Hang()]) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, defaults={"timeouts": {"first_byte": "9s"}})
        running = asyncio.create_task(gateway.chat("alone"))
        await upstream.until(lambda: upstream.requests)
        reply = await gateway.chat("demo")
        assert_error(reply, 429, "rate_limit_exceeded")
        assert "concurrent" in reply.error["message"]
        running.cancel()
        await asyncio.wait([running])
        await gateway.idle()
        assert (await gateway.chat("demo")).status == 200


async def test_tokens_are_settled_with_what_was_really_used(start: Starter) -> None:
    """900 are reserved each time and 10 used: without the settling the second request would not fit."""
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")})
        key = await gateway.mint(limits=Limits(requests=None, tokens=Rate(1000, 3600.0), concurrent=None))
        for stream in (False, True, False):
            reply = await gateway.post(chat_body("alone", max_tokens=900, stream=stream), headers=bearer(key))
            assert reply.status == 200


async def models(start: Starter, globs: tuple[str, ...] | None = None, **changes: Any) -> list[tuple[str, str]]:
    gateway = await start({"main": "http://127.0.0.1:9/v1", "backup": "http://127.0.0.1:9/v1"}, **changes)
    key = await gateway.mint(models=globs)
    reply = await gateway.get("/v1/models", headers=bearer(key))
    assert reply.status == 200
    assert reply.json()["object"] == "list"
    for model in reply.json()["data"]:
        assert set(model) == {"id", "object", "created", "owned_by"}
        one = await gateway.get(f"/v1/models/{model['id']}", headers=bearer(key))
        assert one.json() == model
    return [(model["id"], model["owned_by"]) for model in reply.json()["data"]]


async def test_the_list_of_models_holds_the_names_that_callers_may_send(start: Starter) -> None:
    assert await models(start) == [("demo", "demo"), ("alone", "main"), ("fb", "main")]
    assert await models(start, ("f*", "de?o")) == [("demo", "demo"), ("fb", "main")]
    assert await models(start, ()) == []


async def test_a_glob_lists_what_its_provider_is_known_to_have(start: Starter) -> None:
    listed = await models(
        start,
        routes=[
            {"match": "demo", "targets": [{"provider": "demo"}]},
            {"match": "our/gpt-4*", "targets": [{"provider": "main", "model": "gpt-4{1}"}]},
        ],
    )
    assert ("our/gpt-4o", "main") in listed
    assert all(name == "demo" or name.startswith("our/gpt-4") for name, _ in listed)


async def test_a_provider_that_is_off_lists_nothing(start: Starter) -> None:
    providers = {"demo": {"dialect": "echo"}, "openai": {"api_key": ""}}
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {"match": "gpt-*", "targets": [{"provider": "openai"}]},
    ]
    gateway = await start(providers=providers, routes=routes)
    assert [model["id"] for model in (await gateway.get("/v1/models")).json()["data"]] == ["demo"]
    reply = await gateway.chat("gpt-4o")
    assert_error(reply, 503, "no_healthy_upstream")
    assert int(reply.headers["retry-after"]) > 0


async def test_a_model_that_is_not_there_is_404(start: Starter) -> None:
    gateway = await start()
    assert_error(await gateway.get("/v1/models/nothing"), 404, "model_not_found", param="model")
    assert_error(await gateway.get("/v1/models/%0d%0a"), 404, "model_not_found", param="model")


async def test_the_metrics_can_be_parsed_and_hold_no_names_of_callers(start: Starter) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        routes = [
            {"match": "demo", "targets": [{"provider": "demo"}]},
            {"match": "*", "targets": [{"provider": "main"}]},
        ]
        gateway = await start({"main": upstream.url("/v1")}, routes=routes)
        for number in range(5):
            await gateway.chat(f"made-up-{number}")
        text = (await gateway.request("GET", "/metrics", headers={"accept-encoding": "identity"})).body.decode()
        assert "made-up" not in text
        families = {family.name for family in text_string_to_metric_families(text)}
        assert {"gaiarouter_requests", "gaiarouter_upstream_attempts", "gaiarouter_ledger_pending"} <= families
        labels = {"route": "*", "model": "other", "code_class": "2xx", "code": "ok"}
        assert gateway.metric("requests_total", **labels) == 5


async def test_without_auth_everybody_is_anonymous(start: Starter) -> None:
    gateway = await start(auth={"required": False})
    for headers in ({}, bearer("sk-other")):
        reply = await gateway.request(
            "POST",
            "/v1/chat/completions",
            headers={**headers, "content-type": "application/json"},
            data=b'{"model": "demo", "messages": [{"role": "user", "content": "x"}]}',
        )
        assert reply.status == 200
    assert [record["key"] for record in await gateway.records()] == [None, None]
