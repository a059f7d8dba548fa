"""`affinity`: the turns of a conversation, or all that one user or key asks, stay on one target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.faults import healthy
from tests.gateway.running import ANSWER, RunningGateway, Starter
from tests.support.script import Script, error_answer
from tests.support.upstream import Received, ScriptedUpstream

TARGETS = [{"provider": "main", "model": f"m-{number}"} for number in range(4)]
CONVERSATIONS = 16
Turn = Callable[[int, int], tuple[str, Any]]
"""The path and the body of a turn of a conversation, both by their numbers."""


def routes(affinity: str, **more: Any) -> list[dict[str, Any]]:
    demo = {"match": "demo", "targets": [{"provider": "demo"}]}
    return [demo, {"match": "m", "targets": TARGETS, "affinity": affinity, **more}]


def speaking_chat(upstream: ScriptedUpstream) -> dict[str, Any]:
    main = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": "sk-x", "speaks": ["chat"]}
    return {"demo": {"dialect": "echo"}, "main": main}


def chat(conversation: int, turn: int) -> tuple[str, Any]:
    said = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"Question {conversation}"}]
    for number in range(turn):
        said += [{"role": "assistant", "content": f"Answer {number}"}, {"role": "user", "content": f"More {number}"}]
    return "/v1/chat/completions", {"model": "m", "messages": said}


def coding_client(conversation: int, turn: int) -> tuple[str, Any]:
    """As clients of Messages do it: the mark for caching moves to the last message, and the block for the provider's
    own books is another each time."""
    texts = [f"Question {conversation}", *[f"turn {number}" for number in range(2 * turn)]]
    messages = [
        {"role": ("user", "assistant")[place % 2], "content": [{"type": "text", "text": text}]}
        for place, text in enumerate(texts)
    ]
    last: Any = messages[-1]["content"]
    last[0]["cache_control"] = {"type": "ephemeral"}
    books = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1; cch={conversation}{turn}"}
    system = [books, {"type": "text", "text": "You write code.", "cache_control": {"type": "ephemeral"}}]
    return "/v1/messages", {"model": "m", "max_tokens": 9, "system": system, "messages": messages}


def responses(conversation: int, turn: int) -> tuple[str, Any]:
    said = [{"role": "user", "content": f"Question {conversation}"}]
    for number in range(turn):
        said += [{"role": "assistant", "content": f"Answer {number}"}, {"role": "user", "content": f"More {number}"}]
    return "/v1/responses", {"model": "m", "instructions": "Be kind.", "input": said}


def gemini(conversation: int, turn: int) -> tuple[str, Any]:
    texts = [f"Question {conversation}", *[f"turn {number}" for number in range(2 * turn)]]
    contents = [{"role": ("user", "model")[place % 2], "parts": [{"text": text}]} for place, text in enumerate(texts)]
    return "/v1beta/models/m:generateContent", {"contents": contents}


async def served_by(gateway: RunningGateway, upstream: ScriptedUpstream, path: str, body: Any, key: str = "") -> str:
    headers = {"authorization": f"Bearer {key}"} if key else None
    reply = await gateway.post(body, path=path, headers=headers)
    assert reply.status == 200, reply.body
    model: str = upstream.requests[-1].json()["model"]
    return model


@pytest.mark.parametrize("turn", [chat, coding_client, responses, gemini])
async def test_every_turn_of_a_conversation_stays_on_its_target(start: Starter, turn: Turn) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start(providers=speaking_chat(upstream), routes=routes("prefix"))
        homes = []
        for conversation in range(CONVERSATIONS):
            turns = {await served_by(gateway, upstream, *turn(conversation, number)) for number in range(3)}
            assert len(turns) == 1
            homes += turns
        assert len(set(homes)) > 1, "and conversations are spread"


async def test_an_end_user_stays_on_a_target_whatever_is_asked(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, routes=routes("user"))
        homes = {}
        for user in range(CONVERSATIONS):
            asked = [chat(number, 0) for number in range(3)]
            served = {await served_by(gateway, upstream, path, body | {"user": f"u{user}"}) for path, body in asked}
            assert len(served) == 1
            homes[user] = served.pop()
        assert len(set(homes.values())) > 1
        path, body = coding_client(0, 0)
        named = body | {"metadata": {"user_id": "u3"}}
        assert await served_by(gateway, upstream, path, named) == homes[3], "in every dialect"


@pytest.mark.parametrize("affinity", ["key", "user"])
async def test_a_key_stays_on_a_target_where_no_user_is_named(start: Starter, affinity: str) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, routes=routes(affinity))
        homes = []
        for number in range(CONVERSATIONS):
            key = await gateway.mint(name=f"key {number}")
            asked = [chat(conversation, 0) for conversation in range(3)]
            served = {await served_by(gateway, upstream, path, body, key) for path, body in asked}
            assert len(served) == 1
            homes += served
        assert len(set(homes)) > 1


async def test_what_only_the_target_can_read_goes_by_its_key(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, routes=routes("prefix"))
        odd = {"model": "m", "messages": [{"role": "oracle", "content": "?"}]}
        assert len({await served_by(gateway, upstream, "/v1/chat/completions", odd) for _ in range(8)}) == 1


async def test_cheapest_without_prices_still_keeps_a_conversation_together(start: Starter) -> None:
    async with ScriptedUpstream(healthy(ANSWER)) as upstream:
        gateway = await start({"main": upstream.url("/v1")}, routes=routes("prefix", balance="cheapest"))
        assert len({await served_by(gateway, upstream, *chat(1, number)) for number in range(6)}) == 1


async def test_the_cheapest_target_serves_and_the_next_when_it_fails(start: Starter) -> None:
    """By what the file says of them; one of which nobody knows the price comes last."""

    def script(request: Received) -> Script:
        failing = request.json()["model"] in broken
        return error_answer(500) if failing else healthy(ANSWER)(request)

    broken: set[str] = set()
    async with ScriptedUpstream(script) as upstream:
        prices = [
            {"match": "m-2", "input": 0.1, "output": 0.4},
            {"match": "m-1", "input": 0.3, "output": 0.1},
            {"match": "m-3", "input": 5, "output": 5},
        ]
        provider = speaking_chat(upstream)["main"] | {"prices": prices}
        gateway = await start(
            providers={"demo": {"dialect": "echo"}, "main": provider},
            routes=[
                {"match": "demo", "targets": [{"provider": "demo"}]},
                {"match": "m", "balance": "cheapest", "targets": TARGETS, "retry": {"attempts": 4}},
            ],
        )
        served = []
        for model in ("m-2", "m-1", "m-3", "m-0"):
            served.append(await served_by(gateway, upstream, *chat(0, 0)))
            broken.add(model)
        assert served == ["m-2", "m-1", "m-3", "m-0"]
