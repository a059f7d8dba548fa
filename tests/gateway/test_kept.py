"""Answers that their provider has kept: got, listed, cancelled and deleted where only one can have issued them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.gateway.official import openai_client
from tests.gateway.running import PROVIDER_KEY, RunningGateway, Starter, assert_error
from tests.support.script import error_answer, json_answer, sse, sse_answer
from tests.support.upstream import ScriptedUpstream

ID = "resp_0d4b654a05c1a7a7"
KEPT = {
    "id": ID,
    "object": "response",
    "created_at": 1,
    "status": "failed",
    "error": {"code": "server_error", "message": "it failed when it was made"},
    "model": "gpt",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
}
ITEMS = {
    "object": "list",
    "data": [{"id": "msg_1", "type": "message", "role": "user", "content": [], "status": "completed"}],
    "first_id": "msg_1",
    "last_id": "msg_1",
    "has_more": False,
}


async def serving(start: Starter, upstream: ScriptedUpstream, *, speaking: int = 1) -> RunningGateway:
    """speaking: how many providers speak Responses."""
    openai_like = {"dialect": "openai", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY}
    providers: dict[str, Any] = {
        "demo": {"dialect": "echo"},
        "relay": {"dialect": "openrouter", "base_url": upstream.url("/v1"), "api_key": PROVIDER_KEY},
        "chatty": {**openai_like, "speaks": ["chat"]},
        "off": {**openai_like, "api_key": ""},
        **{f"main{number}": openai_like for number in range(speaking)},
    }
    routes = [
        {"match": "demo", "targets": [{"provider": "demo"}]},
        *(
            {"match": f"model-{number}", "targets": [{"provider": f"main{number}", "model": "gpt"}]}
            for number in range(speaking)
        ),
        {"match": "chat-only", "targets": [{"provider": "chatty", "model": "gpt"}]},
    ]
    return await start({}, providers=providers, routes=routes)


async def test_the_official_client_gets_lists_cancels_and_deletes(start: Starter) -> None:
    gone = {"id": ID, "object": "response", "deleted": True}
    scripts = [json_answer(KEPT), json_answer(ITEMS), json_answer(KEPT), json_answer(gone)]
    async with ScriptedUpstream(*scripts) as upstream:
        gateway = await serving(start, upstream)
        async with openai_client(gateway) as client:
            got = await client.responses.retrieve(ID, include=["message.output_text.logprobs"])
            listed = await client.responses.input_items.list(ID, limit=5, order="asc")
            cancelled = await client.responses.cancel(ID)
            await client.responses.delete(ID)
        asked = [(request.method, request.path) for request in upstream.requests]
        keys = {request.headers["authorization"] for request in upstream.requests}
    assert got.error is not None
    assert (got.id, got.status, got.error.code) == (ID, "failed", "server_error")
    assert [item.id for item in listed.data] == ["msg_1"]
    assert cancelled.id == ID
    assert asked == [
        ("GET", f"/v1/responses/{ID}?include%5B%5D=message.output_text.logprobs"),
        ("GET", f"/v1/responses/{ID}/input_items?limit=5&order=asc"),
        ("POST", f"/v1/responses/{ID}/cancel"),
        ("DELETE", f"/v1/responses/{ID}"),
    ]
    assert keys == {f"Bearer {PROVIDER_KEY}"}
    rows = await gateway.records()
    assert {(row["status"], row["in_uncached"], row["out_visible"]) for row in rows} == {(200, 0, 0)}


async def test_what_is_still_being_made_is_followed(start: Starter) -> None:
    events = [
        {"type": "response.output_text.delta", "delta": "hi", "sequence_number": 4},
        {"type": "response.completed", "response": {**KEPT, "status": "completed"}, "sequence_number": 5},
    ]
    async with ScriptedUpstream(sse_answer([sse(event) for event in events])) as upstream:
        gateway = await serving(start, upstream)
        async with openai_client(gateway) as client:
            stream = await client.responses.retrieve(ID, stream=True, starting_after=3)
            kinds = [event.type async for event in stream]
        (request,) = upstream.requests
    assert kinds == [event["type"] for event in events]
    assert request.path == f"/v1/responses/{ID}?starting_after=3&stream=true"


async def test_an_answer_that_is_not_there_is_not_found(start: Starter) -> None:
    missing = error_answer(404, message=f"Response with id '{ID}' not found.")
    async with ScriptedUpstream(missing) as upstream:
        gateway = await serving(start, upstream)
        async with openai_client(gateway) as client:
            with pytest.raises(openai.NotFoundError, match="not found"):
                await client.responses.retrieve(ID)
    row = await gateway.record()
    assert (row["status"], row["attempts"]) == (404, 1)


async def test_where_several_can_have_issued_it_the_caller_says_whose_it_is(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream, speaking=2)
        refused = await gateway.get(f"/v1/responses/{ID}")
        assert_error(refused, 400, "unsupported_parameter", param="response_id")
        assert "main0, main1" in refused.error["message"]
        told = await gateway.get(f"/v1/responses/{ID}?model=model-1")
        assert (told.status, told.headers["x-gaia-provider"]) == (200, "main1")
        (request,) = upstream.requests
    assert request.path == f"/v1/responses/{ID}"
    assert json.loads(told.body) == KEPT


@pytest.mark.parametrize(
    ("path", "status", "code", "param"),
    [
        (f"{ID}?model=chat-only", 400, "unsupported_parameter", "response_id"),
        (f"{ID}?model=nobody", 404, "model_not_found", "model"),
        ("resp%2F..%2Fmodels", 400, "invalid_request", "response_id"),
        ("resp%20x", 400, "invalid_request", "response_id"),
    ],
)
async def test_what_cannot_be_asked_for(start: Starter, path: str, status: int, code: str, param: str) -> None:
    async with ScriptedUpstream(json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream)
        assert_error(await gateway.get(f"/v1/responses/{path}"), status, code, param=param)
        assert not upstream.requests


async def test_a_key_for_certain_models_says_whose_answer_it_asks_for(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream, speaking=2)
        headers = {"authorization": f"Bearer {await gateway.mint(models=('model-0',))}"}
        assert_error(await gateway.get(f"/v1/responses/{ID}", headers=headers), 403, "model_not_allowed", param="model")
        other = await gateway.get(f"/v1/responses/{ID}?model=model-1", headers=headers)
        assert_error(other, 403, "model_not_allowed", param="model")
        own = await gateway.get(f"/v1/responses/{ID}?model=model-0", headers=headers)
        assert own.status == 200


async def test_nobody_is_asked_without_a_key(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.get(f"/v1/responses/{ID}", headers={"authorization": "Bearer sk-gaia-wrong"})
        assert_error(reply, 401, "invalid_api_key")
        assert not upstream.requests


async def test_without_a_provider_that_keeps_answers_there_are_none(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream, speaking=0)
        reply = await gateway.get(f"/v1/responses/{ID}")
    assert_error(reply, 400, "unsupported_parameter", param="response_id")
