"""Answers that their provider has kept: got, listed, cancelled, deleted and gone on from by whose they are alone."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseCompletedEvent

from gaiarouter.store.records import Author, Organization
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


ANSWER = {
    **KEPT,
    "status": "completed",
    "error": None,
    "previous_response_id": None,
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": f'the "id" is "{ID}"', "annotations": []}],
        }
    ],
}
EVENTS = [
    {"type": "response.created", "response": {**ANSWER, "output": []}, "sequence_number": 0},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": f'"{ID}"', "sequence_number": 1},
    {"type": "response.completed", "response": ANSWER, "sequence_number": 2},
]


async def made(gateway: RunningGateway, *, key: str | None = None, model: str = "model-0") -> str:
    """The handle of an answer that is made for this key."""
    headers = {"authorization": f"Bearer {key or gateway.key}"}
    reply = await gateway.post({"model": model, "input": "hi"}, path="/v1/responses", headers=headers)
    assert reply.status == 200, reply.body
    handle: str = reply.json()["id"]
    return handle


async def tenant(gateway: RunningGateway, name: str) -> None:
    organization = Organization(id=name, name=name, created_us=0, updated_us=0)
    await gateway.gateway.store.add_organization(organization, Author("tests", 0))


async def serving(start: Starter, upstream: ScriptedUpstream, *, speaking: int = 1, **changes: Any) -> RunningGateway:
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
    return await start({}, providers=providers, routes=routes, **changes)


async def test_the_official_client_gets_lists_cancels_and_deletes(start: Starter) -> None:
    gone = {"id": ID, "object": "response", "deleted": True}
    scripts = [json_answer(ANSWER), json_answer(KEPT), json_answer(ITEMS), json_answer(KEPT), json_answer(gone)]
    async with ScriptedUpstream(*scripts) as upstream:
        gateway = await serving(start, upstream)
        async with openai_client(gateway) as client:
            told = await made(gateway)
            got = await client.responses.retrieve(told, include=["message.output_text.logprobs"])
            listed = await client.responses.input_items.list(told, limit=5, order="asc")
            cancelled = await client.responses.cancel(told)
            await client.responses.delete(told)
        asked = [(request.method, request.path) for request in upstream.requests[1:]]
        keys = {request.headers["authorization"] for request in upstream.requests}
    assert got.error is not None
    assert told != ID
    assert (got.id, got.status, got.error.code) == (told, "failed", "server_error")
    assert [item.id for item in listed.data] == ["msg_1"]
    assert cancelled.id == told
    assert asked == [
        ("GET", f"/v1/responses/{ID}?include%5B%5D=message.output_text.logprobs"),
        ("GET", f"/v1/responses/{ID}/input_items?limit=5&order=asc"),
        ("POST", f"/v1/responses/{ID}/cancel"),
        ("DELETE", f"/v1/responses/{ID}"),
    ]
    assert keys == {f"Bearer {PROVIDER_KEY}"}
    _, *rows = await gateway.records()
    assert {(row["status"], row["in_uncached"], row["out_visible"]) for row in rows} == {(200, 0, 0)}


async def test_what_is_still_being_made_is_followed(start: Starter) -> None:
    events = [
        {"type": "response.output_text.delta", "delta": "hi", "sequence_number": 4},
        {"type": "response.completed", "response": {**KEPT, "status": "completed"}, "sequence_number": 5},
    ]
    async with ScriptedUpstream(json_answer(ANSWER), sse_answer([sse(event) for event in events])) as upstream:
        gateway = await serving(start, upstream)
        told = await made(gateway)
        async with openai_client(gateway) as client:
            stream = await client.responses.retrieve(told, stream=True, starting_after=3)
            seen = [event async for event in stream]
        _, request = upstream.requests
    assert [event.type for event in seen] == [event["type"] for event in events]
    assert isinstance(seen[-1], ResponseCompletedEvent)
    assert seen[-1].response.id == told
    assert request.path == f"/v1/responses/{ID}?starting_after=3&stream=true"


async def test_an_answer_that_is_not_there_is_not_found(start: Starter) -> None:
    missing = error_answer(404, message=f"Response with id '{ID}' not found.")
    async with ScriptedUpstream(json_answer(ANSWER), missing) as upstream:
        gateway = await serving(start, upstream)
        told = await made(gateway)
        async with openai_client(gateway) as client:
            with pytest.raises(openai.NotFoundError, match="not found"):
                await client.responses.retrieve(told)
    _, row = await gateway.records()
    assert (row["status"], row["attempts"]) == (404, 1)


async def test_of_several_who_keep_answers_the_one_that_made_it_is_asked(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER), json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream, speaking=2)
        told = await made(gateway, model="model-1")
        got = await gateway.get(f"/v1/responses/{told}")
        assert (got.status, got.headers["x-gaia-provider"]) == (200, "main1")
        _, request = upstream.requests
        elsewhere = await gateway.get(f"/v1/responses/{told}?model=model-0")
        assert_error(elsewhere, 400, "unsupported_parameter", param="response_id")
    assert request.path == f"/v1/responses/{ID}"
    assert json.loads(got.body) == {**KEPT, "id": told}


@pytest.mark.parametrize(
    ("path", "status", "code", "param"),
    [
        (ID, 404, "not_found", None),
        (f"{ID}?model=chat-only", 404, "not_found", None),
        (f"{ID}?model=nobody", 404, "model_not_found", "model"),
        ("resp%2F..%2Fmodels", 400, "invalid_request", "response_id"),
        ("resp%20x", 400, "invalid_request", "response_id"),
    ],
)
async def test_what_cannot_be_asked_for(start: Starter, path: str, status: int, code: str, param: str | None) -> None:
    async with ScriptedUpstream(json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream)
        assert_error(await gateway.get(f"/v1/responses/{path}"), status, code, param=param)
        assert not upstream.requests


async def test_a_key_for_certain_models_says_whose_answer_it_asks_for(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER), json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream, speaking=2)
        key = await gateway.mint(models=("model-0",))
        told, headers = await made(gateway, key=key), {"authorization": f"Bearer {key}"}
        unsaid = await gateway.get(f"/v1/responses/{told}", headers=headers)
        assert_error(unsaid, 403, "model_not_allowed", param="model")
        other = await gateway.get(f"/v1/responses/{told}?model=model-1", headers=headers)
        assert_error(other, 403, "model_not_allowed", param="model")
        own = await gateway.get(f"/v1/responses/{told}?model=model-0", headers=headers)
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
    assert_error(reply, 404, "not_found")


async def test_nobody_else_reaches_an_answer_and_is_told_what_is_told_of_one_that_never_was(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        for name in ("org_a", "org_b"):
            await tenant(gateway, name)
        told = await made(gateway, key=await gateway.mint(organization="org_a"))
        keys = [gateway.key, await gateway.mint(), await gateway.mint(organization="org_b")]
        for key in keys:
            async with openai_client(gateway, key=key) as client:
                for handle in (told, ID, told[:-1] + ("A" if told[-1] != "A" else "B"), "resp_never"):
                    for ask in (
                        client.responses.retrieve(handle),
                        client.responses.input_items.list(handle),
                        client.responses.cancel(handle),
                        client.responses.delete(handle),
                    ):
                        with pytest.raises(openai.NotFoundError) as caught:
                            await ask
                        assert caught.value.body == {
                            "message": f"Response with id '{handle}' not found.",
                            "type": "invalid_request_error",
                            "param": None,
                            "code": "not_found",
                        }
        assert len(upstream.requests) == 1


async def test_keys_of_one_organization_share_its_answers(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER), json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream)
        await tenant(gateway, "org_a")
        told = await made(gateway, key=await gateway.mint(organization="org_a"))
        headers = {"authorization": f"Bearer {await gateway.mint(organization='org_a')}"}
        assert (await gateway.get(f"/v1/responses/{told}", headers=headers)).status == 200


async def test_a_conversation_goes_on_from_ones_own_answer_alone(start: Starter) -> None:
    second = {**ANSWER, "id": "resp_second", "previous_response_id": ID}
    count = {"object": "response.input_tokens", "input_tokens": 7}
    async with ScriptedUpstream(json_answer(ANSWER), json_answer(second), json_answer(count)) as upstream:
        gateway = await serving(start, upstream, speaking=2)
        told = await made(gateway)
        body = {"model": "model-0", "input": "and?", "previous_response_id": told}
        other = {"authorization": f"Bearer {await gateway.mint()}"}
        for path in ("/v1/responses", "/v1/responses/input_tokens"):
            refused = await gateway.post(body, path=path, headers=other)
            assert_error(refused, 400, "previous_response_not_found", param="previous_response_id")
        elsewhere = await gateway.post({**body, "model": "model-1"}, path="/v1/responses")
        assert_error(elsewhere, 400, "unsupported_parameter", param="previous_response_id")
        assert len(upstream.requests) == 1
        went_on = await gateway.post(body, path="/v1/responses")
        counted = await gateway.post(body, path="/v1/responses/input_tokens")
        assert (went_on.json()["previous_response_id"], counted.json()) == (told, count)
        assert [each.json()["previous_response_id"] for each in upstream.requests[1:]] == [ID, ID]


@pytest.mark.parametrize("script", ["stream", "answer"])
async def test_a_stream_tells_the_handle_of_whom_it_is_for_and_nothing_else_of_it_changes(
    start: Starter, script: str
) -> None:
    streamed = {"stream": sse_answer([sse(event) for event in EVENTS]), "answer": json_answer(ANSWER)}
    async with ScriptedUpstream(json_answer(ANSWER), streamed[script]) as upstream:
        gateway = await serving(start, upstream)
        told = await made(gateway)
        reply = await gateway.post({"model": "model-0", "input": "hi", "stream": True}, path="/v1/responses")
    answers = [event["response"] for event in reply.events if "response" in event]
    assert {answer["id"] for answer in answers} == {told}
    assert answers[-1] == {**ANSWER, "id": told}
    if script == "stream":
        assert reply.body.replace(told.encode(), ID.encode()) == b"".join(sse(event) for event in EVENTS)


async def test_an_answer_that_nobody_keeps_is_passed_on_to_the_byte(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER)) as upstream:
        gateway = await serving(start, upstream)
        reply = await gateway.post({"model": "model-0", "input": "hi", "store": False}, path="/v1/responses")
    assert reply.json() == ANSWER


async def test_another_gateway_on_the_same_store_knows_whose_answer_it_is(start: Starter) -> None:
    async with ScriptedUpstream(json_answer(ANSWER), json_answer(KEPT)) as upstream:
        gateway = await serving(start, upstream)
        told = await made(gateway)
        replica = await serving(start, upstream, store=f"sqlite:///{gateway.folder}/gaia.db")
        own = {"authorization": f"Bearer {gateway.key}"}
        assert (await replica.get(f"/v1/responses/{told}", headers=own)).status == 200
        assert_error(await replica.get(f"/v1/responses/{told}"), 404, "not_found")
