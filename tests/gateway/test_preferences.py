"""`models` and `provider` in callers' requests: fallbacks and providers of their own choice, in every format."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import anthropic
import openai
import pytest

from tests.gateway.faults import completion
from tests.gateway.running import BACKUP_KEY, PROVIDER_KEY, RunningGateway, Starter, assert_error
from tests.support.script import error_answer, json_answer
from tests.support.upstream import ScriptedUpstream

CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "b"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
TOO_LONG = error_answer(400, message="This model's maximum context length is 10", code="context_length_exceeded")


class Scene:
    """main: an OpenAI. relay: an OpenRouter. claude: an Anthropic."""

    def __init__(self, gateway: RunningGateway, upstreams: dict[str, ScriptedUpstream]) -> None:
        self.gateway = gateway
        self.upstreams = upstreams

    def asked(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.upstreams[name].requests]


async def scene(start: Starter, stack: AsyncExitStack, **scripts: Any) -> Scene:
    usual = {"main": json_answer(completion("a")), "relay": json_answer(completion("r")), "claude": json_answer(CLAUDE)}
    upstreams = {
        name: await stack.enter_async_context(ScriptedUpstream(script)) for name, script in (usual | scripts).items()
    }
    providers = {
        "demo": {"dialect": "echo"},
        "main": {"dialect": "openai", "base_url": upstreams["main"].url("/v1"), "api_key": PROVIDER_KEY},
        "relay": {"dialect": "openrouter", "base_url": upstreams["relay"].url("/v1"), "api_key": PROVIDER_KEY},
        "claude": {"dialect": "anthropic", "base_url": upstreams["claude"].url(""), "api_key": BACKUP_KEY},
    }
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        {
            "match": "alone",
            "targets": [{"provider": "main", "model": "m-1"}],
            "fallbacks": [{"provider": "relay", "model": "x/m-1"}, {"provider": "claude", "model": "claude-m"}],
        },
        {"match": "only-main", "targets": [{"provider": "main", "model": "m-1"}]},
        {"match": "other", "targets": [{"provider": "claude", "model": "claude-m"}]},
    ]
    return Scene(await start({}, providers=providers, routes=routes), upstreams)


async def test_the_official_client_chooses_the_models_to_fall_back_to(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack, main=error_answer(503))
        gateway = world.gateway
        client = openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.key, max_retries=0)
        async with client:
            told = await client.chat.completions.create(
                model="only-main",
                messages=[{"role": "user", "content": "hi"}],
                extra_body={"models": ["only-main", "other"]},
            )
        assert told.choices[0].message.content == "b"
        assert "models" not in world.asked("main")[0]
        assert "models" not in world.asked("claude")[0]
    row = await gateway.record()
    assert (row["model_asked"], row["provider"]) == ("only-main", "claude")


async def test_a_model_of_the_callers_is_asked_where_the_first_is_too_small(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack, main=TOO_LONG)
        alone = await world.gateway.chat("only-main")
        assert_error(alone, 400, "context_length_exceeded")
        reply = await world.gateway.chat("only-main", models=["other"])
        assert (reply.status, reply.headers["x-gaia-provider"]) == (200, "claude")


async def test_models_must_be_the_keys_to_ask(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        key = await world.gateway.mint(models=("only-main",))
        headers = {"authorization": f"Bearer {key}"}
        refused = await world.gateway.chat("only-main", models=["other"], headers=headers)
        assert_error(refused, 403, "model_not_allowed", param="models[0]")
        unknown = await world.gateway.chat("only-main", models=["only-main", "nobody"])
        assert_error(unknown, 404, "model_not_found", param="models[1]")
        assert not world.asked("main")


async def test_another_provider_is_asked_first_and_told_nothing_of_it(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        reply = await world.gateway.chat("alone", provider={"order": ["anthropic"]})
        assert reply.headers["x-gaia-provider"] == "claude"
        assert "provider" not in world.asked("claude")[0]
        plain = await world.gateway.chat("alone", provider={"ignore": ["claude"]})
        assert plain.headers["x-gaia-provider"] == "main"
        assert "provider" not in world.asked("main")[0]


async def test_a_relay_is_told_what_concerns_those_behind_it(start: Starter) -> None:
    wishes = {"order": ["deepinfra", "main"], "allow_fallbacks": False, "data_collection": "deny"}
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        chat = await world.gateway.chat("alone", provider=wishes)
        assert (chat.status, chat.headers["x-gaia-provider"]) == (200, "relay")
        body = {"model": "alone", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "provider": wishes}
        messages = await world.gateway.post(body, path="/v1/messages")
        assert (messages.status, messages.headers["x-gaia-provider"]) == (200, "relay")
        told = [asked["provider"] for asked in world.asked("relay")]
    assert told == [{"order": ["deepinfra"], "allow_fallbacks": False, "data_collection": "deny"}] * 2


async def test_a_relay_is_told_nothing_where_only_we_were_meant(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        assert (await world.gateway.chat("alone", provider={"only": ["relay"]})).status == 200
        assert "provider" not in world.asked("relay")[0]


async def test_who_would_leave_something_out_is_passed_over(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        wishes = {"order": ["claude", "main"], "require_parameters": True}
        reply = await world.gateway.chat("alone", provider=wishes, seed=7, frequency_penalty=0.5)
        assert (reply.status, reply.headers["x-gaia-provider"]) == (200, "main")
        assert not world.asked("claude")
        nobody = await world.gateway.chat("other", provider={"require_parameters": True}, seed=7)
        assert_error(nobody, 400, "unsupported_parameter", param="seed")
        without = await world.gateway.chat("other", seed=7)
        assert (without.status, without.headers["x-gaia-dropped"]) == (200, "seed")


async def test_nobody_else_is_asked_where_no_other_may_follow(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack, main=error_answer(503))
        reply = await world.gateway.chat("alone", provider={"allow_fallbacks": False})
        assert reply.status == 503
        assert not world.asked("relay")
        assert not world.asked("claude")


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"models": "other"}, "models"),
        ({"provider": {"sort": "cheap"}}, "provider.sort"),
        ({"provider": {"only": ["nobody-behind"]}}, "provider.only"),
    ],
)
async def test_a_wish_that_cannot_be_is_named(start: Starter, members: Any, param: str) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        reply = await world.gateway.chat("only-main", **members)
        assert (reply.status, reply.error["param"]) == (400, param)
        assert not world.asked("main")


async def test_wishes_are_read_in_every_format(start: Starter) -> None:
    """The official client of Anthropic, Google's JSON, embeddings and a count of tokens."""
    wishes = {"order": ["claude"], "ignore": ["main", "relay"]}
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        gateway = world.gateway
        async with anthropic.AsyncAnthropic(base_url=gateway.url(""), api_key=gateway.key, max_retries=0) as client:
            message = await client.messages.create(
                model="alone",
                max_tokens=9,
                messages=[{"role": "user", "content": "hi"}],
                extra_body={"provider": wishes, "models": ["other"]},
            )
        assert message.content[0].type == "text"
        google = await gateway.post(
            {"contents": [{"parts": [{"text": "hi"}]}], "provider": wishes},
            path="/v1beta/models/alone:generateContent",
        )
        assert google.headers["x-gaia-provider"] == "claude"
        assert all(not asked.keys() & {"provider", "models"} for asked in world.asked("claude"))
        vectors = await gateway.post({"model": "alone", "input": "a", "provider": wishes}, path="/v1/embeddings")
        assert_error(vectors, 400, "unsupported_operation")
        assert not world.asked("main")


async def test_the_cheapest_may_be_wanted(start: Starter) -> None:
    async with AsyncExitStack() as stack:
        world = await scene(start, stack)
        # m-1 has no price here: it stands behind those that have one
        reply = await world.gateway.chat("alone", provider={"sort": "price"})
        assert (reply.status, reply.headers["x-gaia-provider"]) == (200, "main")
        dear = await world.gateway.chat("only-main", provider={"max_price": {"prompt": 1}})
        assert_error(dear, 400, "no_matching_provider", param="provider.max_price")
